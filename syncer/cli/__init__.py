"""The command line: commands, the daemon, what is shown, and signals.

Nothing imports it. A command imports what it needs when it runs, so that help is fast.
"""

from __future__ import annotations
