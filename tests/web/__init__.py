"""What the daemon serves, and its alarms."""

from __future__ import annotations
