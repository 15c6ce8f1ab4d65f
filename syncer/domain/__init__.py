"""Values that everything else speaks of: tasks, contacts, markers, the base, reasons, reports.

No I/O, no clock, no log. Imports nothing else of ours.
"""

from __future__ import annotations
