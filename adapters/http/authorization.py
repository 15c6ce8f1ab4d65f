"""OAuth 2.0 access tokens and their renewal with rotating refresh tokens.

A refresh token works for one renewal. The answer has the next one, which is stored before the new access token is
used: if it were lost, somebody would have to authorise the app again. So all processes together make one renewal at a
time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from adapters.http.network import LAST_WORDS
from syncer.contract.errors import AdapterError, BadAnswer, BudgetSpent, NotSent, Refused, Unauthorized
from syncer.contract.settings import read_secret_file
from syncer.domain.redact import protect
from syncer.files import keep_owner, refuse_link, write_private

if sys.platform != "win32":
    import fcntl

AHEAD: Final = 0.1
"""A token is renewed in this last part of its lifetime, while it still works."""
LOCK_PATIENCE: Final = 30.0
"""Seconds to wait while another process renews the same token."""
_LOCK_PAUSE: Final = 0.1
_USED_UP: Final = "an earlier renewal, whose answer could not be read, may have used it up"


class Authorization(Protocol):
    """Gives each request its authorization headers."""

    async def headers(self) -> Mapping[str, str]:
        """The headers for the next request.

        Raises `NotSent`, `BudgetSpent` or `Unauthorized` if there is no valid key.
        """

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Get new headers after a request with ``refused`` was rejected, and say if there are any.

        Raises the same errors as `headers`.
        """

    def set_deadline(self, seconds: float | None) -> None:
        """From now on, a wait that would end later than in ``seconds`` raises `BudgetSpent`."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The result of a renewal, as stored in the file.

    ``seed`` is a hash of the refresh token in the account file. If somebody puts another one there, the stored tokens
    are ignored.
    """

    access_token: str
    refresh_token: str
    expires_at: datetime
    lifetime_s: float
    seed: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer to a renewal; ``lifetime_s`` in seconds. ``access_token`` is empty if it could not be read."""

    access_token: str
    refresh_token: str
    lifetime_s: float


Exchange = Callable[[str], Awaitable[Granted]]
"""Exchanges a refresh token for new tokens.

Raises `Unavailable`, `BudgetSpent`, `Unauthorized`, `Refused`, `BadAnswer`, `NotSent`.

Only `Refused` says that the refresh token was rejected.
"""


class RotatingTokens:
    """Access tokens of one remote account, stored in a file that only this user can read.

    ``refresh_token`` is the one of the account file. It is used for the first renewal, and again if somebody changes
    it. ``set_deadline`` sets the end of the waits of ``exchange``. ``clock`` is used for the expiry in the file, which
    other processes read; this process measures time by the event loop.
    """

    def __init__(
        self,
        *,
        system: str,
        file: Path,
        refresh_token: str,
        exchange: Exchange,
        set_deadline: Callable[[float | None], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        protect(refresh_token)
        self._system = system
        self._file = file
        self._first = refresh_token
        self._seed = hashlib.sha256(refresh_token.encode()).hexdigest()[:16]
        self._exchange = exchange
        self.set_deadline = set_deadline
        self._clock = clock
        self._tokens: Tokens | None = None
        self._renew_after = 0.0
        self._ends = 0.0
        self._unstored: Tokens | None = None
        self._was_unreadable = False
        self._turn = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """The header with the current access token, which is renewed before it expires."""
        now = asyncio.get_running_loop().time()
        if self._tokens is None or now >= self._renew_after:
            async with self._turn:
                if self._tokens is None:
                    self._take(self._stored(self._file))
                if self._tokens is None or now >= self._renew_after:
                    await self._renew_in_time(now)
        return self._bearer()

    async def renew(self, refused: Mapping[str, str]) -> bool:
        """Make sure that the access token is another one than the rejected one."""
        async with self._turn:
            # If several requests were rejected, the first one has renewed the token already.
            if refused.get("authorization") == self._bearer().get("Authorization"):
                await self._renew()
        return True

    async def _renew_in_time(self, now: float) -> None:
        """Renew the token. A failure is ignored while the old token works; the next request tries again."""
        try:
            await self._renew()
        except (Unauthorized, NotSent, BudgetSpent):
            if self._tokens is None or now >= self._ends:
                raise

    async def _renew(self) -> None:
        async with self._alone():
            stored = self._stored(self._file)
            if stored is not None and stored != self._tokens and self._unstored is None:
                # Another process has renewed the token.
                self._take(stored)
                if asyncio.get_running_loop().time() < self._renew_after:
                    return
            # Tokens that could not be stored are kept: the old refresh token is used up, so asking again would fail.
            if self._unstored is None:
                # Its answer has the only token that works from now on, so it is kept though nobody waits for it.
                await _to_the_end(self._exchanged(stored or self._tokens))
            else:
                self._store_new(self._unstored)

    async def _exchanged(self, known: Tokens | None) -> None:
        granted = await self._ask(known.refresh_token if known else self._first)
        self._unstored = self._tokens_of(granted, known)
        self._store_new(self._unstored)
        if not granted.access_token:
            msg = "the access token could not be renewed: the answer has none that can be read"
            raise NotSent(msg, system=self._system)

    def _store_new(self, tokens: Tokens) -> None:
        self._store(tokens, self._file)
        self._take(tokens)
        self._unstored = None

    def keep(self, granted: Granted, file: Path) -> None:
        """Store tokens that this connection does not use, so that they are not lost. Raises `NotSent`.

        A file with tokens that come from another refresh token stays as it is.
        """
        if not os.path.lexists(file) or self._stored(file) is not None:
            self._store(self._tokens_of(granted), file)

    def _tokens_of(self, granted: Granted, known: Tokens | None = None) -> Tokens:
        for secret in (granted.access_token, granted.refresh_token):
            protect(secret)
        if not granted.access_token:
            # The new refresh token is stored all the same: the old one is used up.
            known = known or Tokens("", "", self._clock(), 0.0, self._seed)
            return replace(known, refresh_token=granted.refresh_token)
        ends = self._clock() + timedelta(seconds=granted.lifetime_s)
        return Tokens(granted.access_token, granted.refresh_token, ends, granted.lifetime_s, self._seed)

    async def _ask(self, refresh_token: str) -> Granted:
        try:
            granted = await self._exchange(refresh_token)
        # The first says what to do. The second is about the time that is left, and not about the token.
        except (Unauthorized, BudgetSpent):
            raise
        except Refused as error:
            why = f"{error.words}; {_USED_UP}" if self._was_unreadable else error.words
            msg = f"the refresh token was rejected: {why}; authorise the app again, and store the new token"
            raise Unauthorized(msg, system=self._system, status=error.status) from error
        except AdapterError as error:
            self._was_unreadable |= isinstance(error, BadAnswer)
            msg = f"the access token could not be renewed: {error.words}"
            # The request that needed the token has not left, whatever became of the renewal.
            raise NotSent(msg, system=self._system, status=error.status) from error
        self._was_unreadable = False
        return granted

    def _bearer(self) -> dict[str, str]:
        access_token = "" if self._tokens is None else self._tokens.access_token
        return {"Authorization": f"Bearer {access_token}"} if access_token else {}

    def _take(self, tokens: Tokens | None) -> None:
        if tokens is None:
            return
        # The file may come from a process with another clock. No token lives longer than its lifetime, whatever the
        # clocks say.
        left = min((tokens.expires_at - self._clock()).total_seconds(), tokens.lifetime_s)
        now = asyncio.get_running_loop().time()
        self._tokens = tokens
        self._ends = now + left
        self._renew_after = self._ends - tokens.lifetime_s * AHEAD

    # the file --------------------------------------------------------------------------------------------

    def _stored(self, file: Path) -> Tokens | None:
        """The tokens in a file, whichever process wrote them. ``None`` if the account file has a newer token."""
        if not os.path.lexists(file):
            return None
        try:
            found = json.loads(read_secret_file(file))
            tokens = Tokens(
                str(found["access_token"]),
                str(found["refresh_token"]),
                datetime.fromisoformat(found["expires_at"]),
                float(found["lifetime_s"]),
                str(found["seed"]),
            )
        except ValueError as error:
            msg = f"the tokens cannot be read: {error}"
            raise NotSent(msg, system=self._system) from None
        except (KeyError, TypeError):
            msg = f"the tokens cannot be read: {file} is not from syncer; remove it and authorise the app again"
            raise NotSent(msg, system=self._system) from None
        for secret in (tokens.access_token, tokens.refresh_token):
            protect(secret)
        return tokens if tokens.seed == self._seed else None

    def _store(self, tokens: Tokens, file: Path) -> None:
        content = asdict(tokens) | {"expires_at": tokens.expires_at.isoformat()}
        try:
            write_private(file, f"{json.dumps(content)}\n".encode())
        except OSError as error:
            msg = f"the new tokens cannot be stored in {file}: {error.strerror}; they are not used until then"
            raise NotSent(msg, system=self._system) from error

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold a lock file, so that no other process renews the same token."""
        if sys.platform == "win32":
            # Windows has no flock. There only the lease of the account prevents a second renewal.
            yield
            return
        lock = self._file.with_name(f".{self._file.name}.lock")
        loop = asyncio.get_running_loop()
        end = loop.time() + LOCK_PATIENCE
        try:
            refuse_link(lock)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            keep_owner(descriptor, self._file)
        except OSError as error:
            msg = f"the tokens cannot be renewed: {lock} cannot be opened: {error.strerror}"
            raise NotSent(msg, system=self._system) from error
        try:
            while True:
                # Asked again and again, because a call that waits for the lock would stop the event loop.
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                if loop.time() >= end:
                    msg = f"another process has been renewing the token for {LOCK_PATIENCE:.0f} s"
                    raise NotSent(msg, system=self._system)
                await asyncio.sleep(_LOCK_PAUSE)
            yield
        finally:
            # This frees the lock. The file stays: if it were removed, two processes could lock two files of one name.
            os.close(descriptor)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish this work even if its caller is cancelled meanwhile, unless it takes more than a few seconds."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=LAST_WORDS)
        task.cancel()
        # Its error concerns nobody any more. Without this look at it, Python would warn of it.
        await asyncio.gather(task, return_exceptions=True)
        raise
