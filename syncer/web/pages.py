"""The handlers of the pages, and of the two buttons: run now, try again."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from syncer.contract import unforeseen
from syncer.domain.redact import redact, unexpected
from syncer.ledger import LedgerError, TaskFilter
from syncer.web import views
from syncer.web.access import COOKIE, COOKIE_LASTS
from syncer.web.board import AccountState
from syncer.web.charts import charts_of
from syncer.web.reader import Reader
from syncer.web.render import render
from syncer.web.site import Site

PER_PAGE: Final = 50
_LONGEST_FORM: Final = 16 * 1024
_FORM_WITHIN: Final = 10.0
_LISTS: Final = {"waiting": "Waiting", "attention": "Needs attention"}
_SEE_OTHER: Final = 303
_ERRORS: Final = {
    401: "A token is needed. Open the page / and type the token there.",
    403: "This form is too old, or another site sent it. Go back, load the page again, and press the button again.",
    404: "There is no such page. The daemon may no longer serve the account, or the task was too old to be kept.",
    405: "This page cannot do that. Go back to the accounts.",
    413: "The form is too large. Nothing was changed.",
    500: "This is a bug of syncer. Please report it with the last lines of the log.",
}


class PageRoutes:
    """The handlers of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        account = "/accounts/{name}"
        return [
            Route("/", self._overview),
            Route("/token", self._take_token, methods=["POST"]),
            Route(account, self._account),
            Route(f"{account}/tasks", self._tasks),
            Route(f"{account}/tasks/{{task:path}}", self._task),
            # After ``tasks``, which it would match, too.
            Route(f"{account}/{{list:str}}", self._list),
            Route(f"{account}/run", self._run, methods=["POST"]),
            Route(f"{account}/retry", self._retry, methods=["POST"]),
        ]

    # looking -------------------------------------------------------------------------------------------

    async def _overview(self, request: Request) -> Response:
        states = self._site.board.states()
        cards = await asyncio.gather(*(self._card(state) for state in states))
        broken = [redact(words) for words in self._site.board.broken_files]
        return self._live(request, "overview.html", cards=cards, broken=broken)

    async def _card(self, state: AccountState) -> dict[str, Any]:
        reader = self._site.reader(state.name)
        try:
            # In a thread: a query of a large ledger must not hold up `/healthz`, which the same loop answers.
            return await run_in_threadpool(self._standing, state, reader)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one account must not hide the others
            words = redact(str(error))
            if not isinstance(error, LedgerError):
                words = unexpected(error)
                unforeseen.tell(error, [state.name], "page.not_shown")
            empty = views.standing_of(state, None, {}, 0, self._site.clock())
            nothing: dict[str, Any] = {"charts": None, "waiting": [], "attention": []}
            return {"standing": empty, "trouble": words, **nothing}

    def _standing(self, state: AccountState, reader: Reader | None) -> dict[str, Any]:
        if reader is None:
            raise HTTPException(404)
        now = self._site.clock()
        picture = reader.picture(now)
        standing = views.standing_of(state, picture.last, picture.in_step, picture.open_tasks, now)
        return {
            "standing": standing,
            # The words of an error may have come from a CRM. What a limit stopped goes on once somebody allows it.
            "trouble": redact(state.trouble or (picture.last.report.get("message", "") if picture.last else "")),
            "runs": picture.eventful,
            "overwritten": views.overwritten_of(picture.eventful, state.account.zone, now),
            "charts": charts_of(picture.hours, state.account),
            "waiting": views.groups_of(standing.waiting),
            "attention": views.groups_of(standing.attention),
        }

    async def _account(self, request: Request) -> Response:
        state, reader = self._named(request)
        found = await run_in_threadpool(self._standing, state, reader)
        return self._live(request, "account.html", state=state, zone=state.account.zone, **found)

    async def _list(self, request: Request) -> Response:
        state, reader = self._named(request)
        which, reason = request.path_params["list"], request.query_params.get("reason", "")
        if which not in _LISTS:
            raise HTTPException(404)
        found = await run_in_threadpool(self._standing, state, reader)
        standing: views.AccountStanding = found["standing"]
        items = [item for item in getattr(standing, which) if reason in {"", item["reason"]}]
        page = _Page(request, len(items))
        shown = views.groups_of(items[page.offset : page.offset + PER_PAGE], PER_PAGE)
        about = {"which": which, "heading": _LISTS[which], "groups": shown, "page": page, "reason": reason}
        return self._live(request, "list.html", state=state, zone=state.account.zone, **about)

    async def _tasks(self, request: Request) -> Response:
        state, reader = self._named(request)
        asked = request.query_params
        # The length of an address is the client's choice, and the database searches the text in every row.
        wanted = TaskFilter(asked.get("state", "open"), asked.get("system", ""), asked.get("text", "")[:100])
        page = _Page(request, None)
        rows, total = await run_in_threadpool(reader.tasks, wanted, page.offset, PER_PAGE)
        page.total = total
        about = {"wanted": wanted, "rows": rows, "page": page, "systems": list(state.account.connections)}
        return self._live(request, "tasks.html", state=state, zone=state.account.zone, **about)

    async def _task(self, request: Request) -> Response:
        state, reader = self._named(request)
        story = await run_in_threadpool(reader.story, request.path_params["task"])
        if story is None:
            raise HTTPException(404)
        found = await run_in_threadpool(self._standing, state, reader)
        standing: views.AccountStanding = found["standing"]
        about = [item for item in (*standing.attention, *standing.waiting) if item["task"] == story.view.task.id]
        now = {
            "groups": views.groups_of(about),
            "copies": views.copies_of(story.view),
            "steps": views.steps_of(story),
            "questions": views.questions_of(story),
        }
        view = story.view
        return self._live(request, "task.html", state=state, zone=state.account.zone, view=view, **now)

    # doing ---------------------------------------------------------------------------------------------

    async def _run(self, request: Request) -> Response:
        state, _ = self._named(request)
        form = await self._own_form(request)
        self._site.control.run_now(state.name)
        return _back(state.name, form, "run")

    async def _retry(self, request: Request) -> Response:
        state, reader = self._named(request)
        form = await self._own_form(request)
        freed = await run_in_threadpool(reader.free, form.get("task", ""))
        if freed is None:
            raise HTTPException(404)
        return _back(state.name, form, "freed" if freed else "nothing")

    async def _take_token(self, request: Request) -> Response:
        form = await _form(request)
        access = self._site.access
        if not access.is_own_origin(request.headers):
            raise HTTPException(403)
        # An old tab may still send its form to a daemon that needs no token now.
        if not access.listening.token:
            return RedirectResponse("/", _SEE_OTHER)
        if not access.is_token(form.get("token", "").strip()):
            return HTMLResponse(render("token.html", wrong=True), 401)
        answer = RedirectResponse("/", _SEE_OTHER)
        secure = access.listening.secure
        answer.set_cookie(COOKIE, access.cookie, COOKIE_LASTS, httponly=True, samesite="strict", secure=secure)
        return answer

    async def ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a page without the token: show the form for the token."""
        await HTMLResponse(render("token.html", wrong=False), 401)(scope, receive, send)

    def error(self, status: int, error: Exception) -> Response:
        """Return a page that says what is wrong and what to do."""
        words = _ERRORS.get(status) or redact(str(error))
        return HTMLResponse(render("error.html", status=status, words=words), status)

    # parts ---------------------------------------------------------------------------------------------

    def _named(self, request: Request) -> tuple[AccountState, Reader]:
        name = request.path_params["name"]
        state, reader = self._site.board.get(name), self._site.reader(name)
        if state is None or reader is None:
            raise HTTPException(404)
        return state, reader

    async def _own_form(self, request: Request) -> dict[str, str]:
        form = await _form(request)
        access = self._site.access
        # The origin is a second proof, where a browser tells it.
        if not access.is_form_token(form.get("form_token", "")) or not access.is_own_origin(request.headers):
            raise HTTPException(403)
        return form

    def _live(self, request: Request, template: str, **about: Any) -> Response:
        """Return a page, or 204 if the browser shows this content already."""
        address = _without_seen(request)
        common = {"form_token": self._site.access.form_token, "address": address, "back": address}
        said = request.query_params.get("said", "")
        whole = render(template, said=said, **common, **about)
        # Of the page with the placeholder still in it, so that the hash is not a part of what it is made of.
        seen = hashlib.sha256(whole.encode()).hexdigest()[:16]
        if request.query_params.get("seen") == seen:
            return Response(status_code=204)
        # Titles of tasks come from people, and may have the same word.
        return HTMLResponse(whole.replace("@seen@", seen, 1))


class _Page:
    """Which part of a list is shown. ``link`` returns the address of another part."""

    def __init__(self, request: Request, total: int | None) -> None:
        asked = request.query_params.get("page", "1")
        # What follows the question mark is the client's choice, and a huge number would overflow in the database.
        self.number = max(1, int(asked)) if asked.isdecimal() and len(asked) < 7 else 1
        self.total = total or 0
        self._request = request

    @property
    def offset(self) -> int:
        return (self.number - 1) * PER_PAGE

    @property
    def last(self) -> int:
        return max(1, -(-self.total // PER_PAGE))

    def link(self, number: int) -> str:
        asked = {name: value for name, value in self._request.query_params.items() if name not in {"seen", "said"}}
        return f"{self._request.url.path}?{urlencode({**asked, 'page': number})}"


def _without_seen(request: Request) -> str:
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in {"seen", "said"}]
    return request.url.path + (f"?{urlencode(asked)}" if asked else "")


def _back(account: str, form: dict[str, str], said: str) -> Response:
    """Redirect to the page with the button."""
    home = f"/accounts/{quote(account)}"
    back = form.get("back", "")
    # Only to a page of ours: anybody can make a form that names another site.
    where = back if back == "/" or (back.startswith("/accounts/") and back.isprintable()) else home
    mark = "&" if "?" in where else "?"
    return RedirectResponse(f"{where}{mark}said={said}", _SEE_OTHER)


async def _form(request: Request) -> dict[str, str]:
    """Read the fields of a short form. Raises `HTTPException`."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _LONGEST_FORM:
        raise HTTPException(413)
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise HTTPException(403)
    body = bytearray()
    try:
        # A client that sends a byte now and then would otherwise hold a connection for ever.
        async with asyncio.timeout(_FORM_WITHIN):
            async for part in request.stream():
                body += part
                if len(body) > _LONGEST_FORM:
                    raise HTTPException(413)
    except (ClientDisconnect, TimeoutError):
        raise HTTPException(400) from None
    return _fields(bytes(body))


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise HTTPException(400) from None
