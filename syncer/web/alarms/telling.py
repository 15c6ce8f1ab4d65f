"""How a message about an alarm is sent: by a command, a webhook, or a service that the library apprise knows."""

from __future__ import annotations

import asyncio
import json
import shlex
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final
from urllib.parse import urlsplit

from syncer import __version__
from syncer.config.schema import AlarmsTable
from syncer.domain.redact import redact

COMMAND_LASTS: Final = 10.0
"""The most seconds that a command may run."""
ANSWER_WITHIN: Final = 10.0
"""The most seconds until a webhook answers."""
TOLD_WITHIN: Final = 60.0
"""The most seconds that a webhook or apprise may take altogether."""
FIRST_WAIT: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(hours=1)
GIVEN_UP_AFTER: Final = timedelta(days=1)
_LONGEST_ERROR: Final = 200

Way = Callable[[str], Coroutine[Any, Any, None]]
"""Sends one message (JSON). Raises `NotTold`."""


class NotTold(Exception):
    """The message was not delivered. The text says why."""


def ways_of(alarms: AlarmsTable) -> dict[str, Way]:
    """Return how an account's alarms are sent, by the name of each way."""
    ways: dict[str, Way] = {}
    if alarms.command:
        ways["command"] = partial(run_command, alarms.command)
    if alarms.webhook:
        ways["webhook"] = partial(_apart, partial(post, alarms.webhook))
    for number, address in enumerate(alarms.notify, 1):
        ways[f"notify {number}"] = partial(_apart, partial(notify, address.get_secret_value()))
    return ways


def next_try(made_at: datetime, tries: int, now: datetime) -> datetime | None:
    """Return when to try a message again that failed ``tries`` times, or ``None`` to give it up."""
    # The limit of 20 keeps the power within what a length of time can hold.
    wait = min(FIRST_WAIT * 2 ** min(tries, 20), LONGEST_WAIT)
    # With ``abs``, a clock that was set back does not lead to tries without end.
    return None if abs(now + wait - made_at) > GIVEN_UP_AFTER else now + wait


async def run_command(command: str, message: str) -> None:
    """Run the command with the message on its standard input, for 10 seconds at most. Raises `NotTold`.

    A command that took longer is killed. It may have delivered the message, so it is not run again.
    """
    quiet = asyncio.subprocess.DEVNULL
    try:
        words = shlex.split(command)
        # In a session of its own: Ctrl+C at the daemon's terminal must not end it halfway.
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except (OSError, ValueError, IndexError) as error:
        msg = f"the command cannot be started: {error}"
        raise NotTold(msg) from error
    try:
        async with asyncio.timeout(COMMAND_LASTS):
            await process.communicate(f"{message}\n".encode())
    except TimeoutError:
        return
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        msg = f"the command ended with status {process.returncode}"
        raise NotTold(msg)


def post(address: str, message: str) -> None:
    """Post the message as JSON. Redirects are not followed. Raises `NotTold`."""
    # Not by httpx, which only the adapters' client uses.
    headers = {"Content-Type": "application/json", "User-Agent": f"syncer/{__version__}"}
    request = urllib.request.Request(address, message.encode(), headers, method="POST")  # noqa: S310 - checked when read
    # A redirect could take the message, and what is secret in its address, to another host.
    ways: list[urllib.request.BaseHandler] = [_NoRedirect()]
    if urlsplit(address).scheme == "http":
        # Plain http is for this machine alone, and no proxy may read it.
        ways.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*ways)
    try:
        with opener.open(request, timeout=ANSWER_WITHIN):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        msg = f"{urlsplit(address).hostname} answered with status {error.code}"
        raise NotTold(msg) from error
    except (OSError, HTTPException, ValueError) as error:
        msg = f"{urlsplit(address).hostname} did not accept it: {redact(str(error))[:_LONGEST_ERROR]}"
        raise NotTold(msg) from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


def notify(address: str, message: str) -> None:
    """Send the message in words by apprise. Raises `NotTold`."""
    try:
        import apprise
    except ImportError:
        msg = "[alarms] notify needs the library apprise; run: pip install 'crm-task-syncer[alarms]'"
        raise NotTold(msg) from None
    told = json.loads(message)
    sender = apprise.Apprise()
    if not sender.add(address):
        msg = "apprise does not know this kind of address; correct [alarms] notify"
        raise NotTold(msg)
    title, body = in_words(told)
    kind = apprise.NotifyType.SUCCESS if told["state"] == "ended" else apprise.NotifyType.WARNING
    if not sender.notify(body=body, title=title, notify_type=kind):
        msg = "apprise could not send it"
        raise NotTold(msg)


def in_words(told: dict[str, Any]) -> tuple[str, str]:
    """Return a title and a text for people."""
    if told["state"] == "ended":
        return f"syncer: {told['account']}: {told['alarm']} is over", f"It began at {told['since']}."
    title = f"syncer: {told['account']}: {told['alarm']}"
    return title, f"{told['detail']}\n\n{told['remedy']}\n\nSince {told['since']}."


async def _apart(tell: Callable[[str], None], message: str) -> None:
    try:
        # The limit for each part of an answer is no limit for a whole one, and the next message waits for this one.
        async with asyncio.timeout(TOLD_WITHIN):
            await asyncio.to_thread(tell, message)
    except TimeoutError:
        msg = f"it did not end within {TOLD_WITHIN:.0f} s"
        raise NotTold(msg) from None
