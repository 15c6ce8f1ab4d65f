"""Requests to a CRM over HTTP: the client, its pace, paging, and what comes back. The only room that imports httpx.

Imports `adapters.sandbox`, `syncer.contract` and `syncer.domain` alone.
"""

from __future__ import annotations
