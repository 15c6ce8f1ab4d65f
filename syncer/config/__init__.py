"""From account files to settings: what may stand in one, what is wrong with it, and which adapter serves it.

Imports `syncer.contract` and `syncer.domain` alone.
"""

from __future__ import annotations
