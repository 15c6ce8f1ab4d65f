"""HTTP requests to a CRM: the client, rate limits, paging and answers. The only package that imports httpx.

It imports `adapters.sandbox`, `syncer.contract` and `syncer.domain`, and nothing else of this project.
"""

from __future__ import annotations
