"""A story in three simulated CRMs, for somebody who has none, and the server that simulates them.

Imports `syncer.engine` and what is below it, and the sandboxes of the adapters.
"""

from __future__ import annotations
