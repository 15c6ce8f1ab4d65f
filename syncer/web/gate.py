"""The checks of every request: the host and the token. Every answer gets our headers."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncer.web.access import COOKIE, HEADERS, Access

# Load balancers have no token, and what the first two tell is no secret. The third takes the token.
_FREE: Final = ("/healthz", "/readyz", "/token")
# No CRM has our token. Whether an event is genuine is checked by its reader.
_FREE_BELOW: Final = ("/events/", "/static/")
_MISDIRECTED: Final = 421


class Gate:
    """Checks each request before the application gets it. ``ask`` answers requests for a page without the token."""

    def __init__(self, app: ASGIApp, access: Access, ask: ASGIApp) -> None:
        self._app = app
        self._access = access
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    ours.setdefault(name, value)
                # Pages show customers: nothing of them may stay in a browser after the session.
                ours.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._passed(scope, headers)(scope, receive, send_with_headers)

    def _passed(self, scope: Scope, headers: Headers) -> ASGIApp:
        path = scope["path"]
        reached = (scope.get("server") or ("",))[0]
        if not self._access.knows_host(headers.get("host", ""), reached):
            return PlainTextResponse(
                "This host name is not served here. Start the daemon with --public-url to serve it.\n", _MISDIRECTED
            )
        free = path in _FREE or path.startswith(_FREE_BELOW)
        # Other programs on this host have cookies, too, in whatever form: the parser of http.cookies gives up at those.
        cookies = cookie_parser(headers.get("cookie", ""))
        if free or self._access.lets_in(headers, cookies.get(COOKIE, "")):
            return self._app
        # A program can do nothing with a form for the token.
        if path == "/metrics" or scope["method"] not in {"GET", "HEAD"}:
            return _unauthorized()
        return self._ask


def _unauthorized() -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="syncer"'}
    return PlainTextResponse("A token is needed: Authorization: Bearer TOKEN\n", 401, headers)
