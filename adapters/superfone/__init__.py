"""Superfone: tasks are read lead by lead, and each lead is a stack of which only the top can be completed."""

from __future__ import annotations
