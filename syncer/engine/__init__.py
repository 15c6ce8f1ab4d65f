"""One run: read, decide, write, report. The only room that waits for a CRM.

Imports `syncer.reconcile`, `syncer.config`, `syncer.ledger` and what is below them, and no adapter.
"""

from __future__ import annotations
