"""Alarms: when one begins and ends (`rules`, pure), what that is judged from (`facts`), and who is told (`telling`)."""
