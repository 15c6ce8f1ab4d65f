"""Alarms: when they begin and end (`rules`, pure), from which facts (`facts`), and how they are sent (`telling`)."""
