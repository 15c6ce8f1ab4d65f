"""The web application: its routes, the access checks around them, and the error pages."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from syncer.domain.redact import redact
from syncer.ledger import LedgerError
from syncer.web.events.intake import Intake
from syncer.web.gate import Gate
from syncer.web.pages import PageRoutes
from syncer.web.probes import probe_routes
from syncer.web.site import Site

STATIC: Final = Path(__file__).parent / "static"
_log: Final = structlog.get_logger("syncer.web")


def make_app(site: Site) -> ASGIApp:
    """Return the application with its access checks."""
    pages = PageRoutes(site)

    def failed(_request: Request, error: Exception) -> Response:
        # Else the ledger cannot be used, which passes.
        status = error.status_code if isinstance(error, HTTPException) else 503
        return pages.error(status, error)

    def broken(request: Request, error: Exception) -> Response:
        # The place alone: a whole traceback of a page may be long, and somebody may ask for it again and again.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        _log.error("web.failed", path=redact(request.url.path), words=redact(repr(error)), where=where)
        return pages.error(500, error)

    app = Starlette(
        routes=[
            *pages.routes(),
            *probe_routes(site),
            *Intake(site).routes(),
            Mount("/static", _Static(directory=STATIC)),
        ],
        exception_handlers={HTTPException: failed, LedgerError: failed, Exception: broken},
    )
    return Gate(app, site.access, pages.ask)


class _Static(StaticFiles):
    """Serves files that come with the program. They may be cached, because their addresses contain the version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response
