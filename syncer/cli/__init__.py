"""The command line: commands, the daemon, what is shown, and signals.

Nothing imports it. What a command needs is imported when it runs, so that help needs none of it.
"""

from __future__ import annotations
