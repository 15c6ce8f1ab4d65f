"""Access to the page: hosts, token, cookie, form token, origin (pure)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Final
from urllib.parse import urlsplit

from syncer.web.listening import Listening, is_loopback

COOKIE: Final = "syncer_session"
COOKIE_LASTS: Final = 30 * 86400
"""How long the cookie is valid, in seconds."""
_BEARER: Final = "bearer "
# ``none`` is a person who typed the address. Older browsers do not send the header.
_OWN: Final = frozenset({"", "same-origin", "none"})

# No script and no style within a page: whatever text of a customer became markup, it could do nothing.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers would also hide the origin of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""The headers of every answer."""


@dataclass(slots=True)
class Access:
    """The access rules of one listening address. ``key`` signs form tokens and is new in each process.

    ``listening`` is replaced, and never changed, when the token's file was changed.
    """

    listening: Listening
    key: bytes = field(default_factory=lambda: token_bytes(32), repr=False)

    def knows_host(self, host: str, reached: str) -> bool:
        """Whether a ``Host`` header names us: loopback, the address listened on, or the public one.

        ``reached`` is the address at which the request arrived, which matters if we listen on all addresses. Any other
        name is refused, so that no other site can read this page by pointing its name at us (DNS rebinding).
        """
        name = _name(host)
        if not name:
            return False
        return is_loopback(name) or name in {self.listening.host.lower(), self.listening.public_host, reached.lower()}

    def is_token(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.listening.token.encode())

    def lets_in(self, headers: Mapping[str, str], cookie: str) -> bool:
        """Whether a request may see the page: it has the token, or the cookie that replaces it."""
        if not self.listening.token:
            return True
        told = headers.get("authorization", "")
        if told.lower().startswith(_BEARER) and self.is_token(told[len(_BEARER) :].strip()):
            return True
        return hmac.compare_digest(cookie.encode(), self.cookie.encode())

    @property
    def cookie(self) -> str:
        """The cookie that a browser stores instead of the token."""
        # Made from the token: another token ends every session, a restart ends none.
        return _signed(self.listening.token.encode(), b"page") if self.listening.token else ""

    @property
    def form_token(self) -> str:
        """The token in each of our forms. Other sites cannot read it."""
        return _signed(self.key, b"form:" + self.cookie.encode())

    def is_form_token(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.form_token.encode())

    def is_own_origin(self, headers: Mapping[str, str]) -> bool:
        """Whether a form was sent from one of our pages, if the browser says where it was sent from."""
        if headers.get("sec-fetch-site", "") not in _OWN:
            return False
        origin = headers.get("origin")
        # Not every browser sends it. Then the form token alone decides.
        if origin is None:
            return True
        ours = {headers.get("host", "").lower(), urlsplit(self.listening.public_url).netloc.lower()} - {""}
        # The header is compared as a whole: it need not be a valid address.
        return origin.lower() in {f"{scheme}://{host}" for scheme in ("http", "https") for host in ours}


def _name(host: str) -> str:
    """Return the host of a ``Host`` header without its port, or an empty text if it is invalid."""
    try:
        parts = urlsplit(f"//{host}")
        name, _port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return name.lower() if parts.netloc == host and "@" not in host else ""


def _signed(key: bytes, what: bytes) -> str:
    return hmac.new(key, what, hashlib.sha256).hexdigest()
