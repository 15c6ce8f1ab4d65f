"""``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from syncer.web.health import is_healthy, is_ready
from syncer.web.metrics import TYPE
from syncer.web.site import Site


def probe_routes(site: Site) -> list[Route]:
    """Return the routes for other programs."""

    async def metrics(_request: Request) -> Response:
        return Response(site.metrics.text(site.board.states()), headers={"Content-Type": TYPE})

    async def healthz(_request: Request) -> Response:
        silence = time.monotonic() - site.board.beaten_at
        return _said(yes=is_healthy(site.board.states(), silence))

    async def readyz(_request: Request) -> Response:
        return _said(yes=is_ready(site.board.states()))

    return [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]


def _said(*, yes: bool) -> Response:
    return PlainTextResponse("ok\n" if yes else "not ok\n", 200 if yes else 503)
