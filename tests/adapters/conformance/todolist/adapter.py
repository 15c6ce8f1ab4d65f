"""The connection to one to-do list: its calls, in the canonical model's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, ClassVar, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, StrictBool, StrictStr, StringConstraints, ValidationError

from adapters.http.client import Answer, Http, Transport, excerpt
from adapters.instants import read_day, read_instant, write_instant
from adapters.text import plain_text, title_text
from syncer.contract.adapter import Adapter, Capabilities, Changed, Check, Completes, Identity, ListsTasks
from syncer.contract.errors import AdapterError, Ambiguous, BadAnswer, Missing, Moved, Refused
from syncer.contract.profile import Profile
from syncer.contract.settings import BaseUrl, ConnectionSettings, Rate, Rates, Secret
from syncer.domain.contact_keys import email_key, phone_key
from syncer.domain.dues import Dues
from syncer.domain.fields import TaskField
from syncer.domain.model import Draft, Edit, Kind, Listing, Reading, Record, State, TaskRef, Unreadable
from syncer.domain.task_ids import Marker, split_marker

SYSTEM: Final = "todolist"
_Item = TypeVar("_Item", Reading, Record)


class TodoListSettings(ConnectionSettings):
    """The ``[todolist]`` table of an account file."""

    profile: ClassVar[Profile] = Profile(
        title="To-do list",
        setting="key",
        variable="TODOLIST_KEY",
        where="on the last page of the to-do list",
    )

    key: Secret
    base_url: BaseUrl = "https://todolist.example"
    rate: Rates = (Rate(10, 1.0),)


Id = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-z]{1,40}$")]


class WhenDue(BaseModel):
    """A to-do is due at a minute, or on a day, or never."""

    due: Annotated[datetime | None, BeforeValidator(read_instant)] = None
    day: Annotated[date | None, BeforeValidator(read_day)] = None

    def instant(self, dues: Dues) -> datetime | None:
        """The due in canonical terms."""
        return dues.of_day(self.day) if self.day else self.due


class Todo(WhenDue):
    """A to-do as it is sent. What is shown may be missing; what decides something may not."""

    id: Id
    person: Id | None
    owner: StrictStr | None = None
    text: StrictStr
    note: StrictStr | None = None
    done: StrictBool
    trashed: StrictBool = False

    def reading(self, dues: Dues) -> Reading:
        """The to-do in canonical terms: it has no kind, so that every kind may be meant."""
        body, marker = split_marker(None if self.note is None else plain_text(self.note))
        return Reading(
            system=SYSTEM,
            remote_id=self.id,
            contact=self.person,
            state=State.DONE if self.done else State.OPEN,
            kind=Kind.TODO,
            kind_known=False,
            raw_type="",
            title=title_text(self.text),
            body=body,
            marker=marker,
            due=self.instant(dues),
            assignee=self.owner,
        )


class Person(BaseModel):
    """A person, with at most one e-mail and one phone number."""

    id: Id
    name: StrictStr = ""
    email: StrictStr | None = None
    phone: StrictStr | None = None

    def record(self, region: str) -> Record:
        """The person in canonical terms: a key that is invalid is no key."""
        email, phone = email_key(self.email), phone_key(self.phone, region)
        return Record(SYSTEM, self.id, self.name, (phone,) if phone else (), (email,) if email else ())


class TodoPage(BaseModel):
    """A page of any list; ``next`` is what to ask for, ``None`` on the last one."""

    items: list[dict[str, Any]]
    next: StrictStr | None


class TodoChanges(BaseModel):
    """Whose to-dos changed; ``next`` is what to ask with afterwards, ``latest`` the number of the last change."""

    people: list[Id]
    next: StrictStr
    latest: StrictStr


class TodoAccount(BaseModel):
    """Whose key it is."""

    account: Id


class TodoListAdapter(Adapter):
    """One to-do list. ``region`` reads phone numbers that have no country code."""

    system: ClassVar[str] = SYSTEM
    settings_model: ClassVar[type[TodoListSettings]] = TodoListSettings

    def __init__(
        self, settings: TodoListSettings, *, region: str, zone: tzinfo = UTC, transport: Transport | None = None
    ) -> None:
        self._dues = Dues(step=timedelta(minutes=1), zone=zone)
        self._region = region
        key = settings.key.get_secret_value()
        self.wire = self._http = Http(
            system=SYSTEM,
            base_url=settings.base_url,
            headers={"Authorization": f"Bearer {key}"},
            secrets=[key],
            rates=settings.rate,
            transport=transport,
        )

    @property
    def capabilities(self) -> Capabilities:
        """One list of everything, every to-do addressed by its id, people found by e-mail."""
        return Capabilities(
            lists_tasks=ListsTasks.ALL,
            completes=Completes.TASK,
            creates=frozenset(Kind),
            completes_kinds=frozenset(Kind),
            has_kinds=False,
            contact_keys=("email",),
            due_step=self._dues.step,
            due_zone=self._dues.zone,
            tells_changes=True,
            edits=dict.fromkeys((TaskField.DUE, TaskField.TITLE, TaskField.BODY), frozenset(Kind)),
            notes={"kinds": "A to-do has no kind: what comes from here is a to-do elsewhere."},
        )

    async def identity(self) -> Identity:
        """The account that the key opens."""
        account = (await self._read("/me")).parse(TodoAccount).account
        return Identity(account, f"to-do list {account}")

    async def list_tasks(self) -> Listing[Reading]:
        """Every open to-do, read whole or not at all."""
        listing = await self._list("/todos", self._todo, done="false")
        return replace(listing, rows=tuple(row for row in listing.rows if row.state is State.OPEN))

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        """One person's to-dos, open and done. Raises `Missing` if there is no such person."""
        await self.get_contact(contact)
        return await self._list("/todos", self._todo, person=contact)

    async def list_changed(self, cursor: str | None) -> Changed:
        """Whose to-dos changed since a number that counts changes."""
        if cursor is None:
            return Changed(frozenset(), (await self._read("/changes")).parse(TodoChanges).latest)
        found = set[str]()
        while True:
            page = (await self._read("/changes", since=cursor)).parse(TodoChanges)
            found.update(page.people)
            if not page.people or page.next == cursor:
                return Changed(frozenset(found), cursor)
            cursor = page.next

    async def get_task(self, ref: TaskRef) -> Reading:
        """One to-do. Raises `Missing`."""
        answer = await self._http.read("GET", f"/todos/{quote(ref.remote_id, safe='')}")
        todo = answer.parse(Todo)
        if todo.id != ref.remote_id:
            raise BadAnswer(f"asked about {ref.remote_id}, it answered with {todo.id}", system=SYSTEM)
        if todo.trashed:
            raise Missing(f"{todo.id} is in the bin", system=SYSTEM)
        return todo.reading(self._dues)

    async def create_task(self, draft: Draft) -> Reading:
        """Create a to-do whose note ends with our marker."""
        todo = {
            "person": draft.contact,
            "owner": draft.assignee,
            "text": draft.title,
            "note": _note(draft.body, draft.marker),
            **self._when(draft.due),
        }
        return (await self._create("/todos", todo)).parse(Todo).reading(self._dues)

    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        """Change these fields of one to-do, if it is open and shows what is expected."""
        now, can = await self.get_task(ref), self.capabilities
        if not edit.wanted.keys() <= can.edits.keys():
            raise Refused("of a to-do only the due, the title and the text can be changed", system=SYSTEM)
        as_expected = all(can.alike(name, value, now.shown(name)) for name, value in edit.expected.items())
        if now.state is not State.OPEN or not as_expected:
            raise Moved(now)
        path, wanted = f"/todos/{quote(ref.remote_id, safe='')}", self._wanted(edit, now)
        answer = await self._http.write("PATCH", path, json=wanted)
        return answer.parse(Todo).reading(self._dues)

    def _wanted(self, edit: Edit, now: Reading) -> dict[str, str | None]:
        """The fields to change, in the CRM's terms."""
        todo: dict[str, str | None] = {}
        for name, value in edit.wanted.items():
            if isinstance(value, datetime):
                todo |= self._when(value)
            elif name is TaskField.TITLE:
                todo["text"] = value
            else:
                todo["note"] = _note(value, now.marker or edit.marker)
        return todo

    def _when(self, due: datetime) -> dict[str, str | None]:
        """A due as it is sent: a day without a time, or an instant."""
        if self._dues.is_day(due):
            return {"day": self._dues.day(due).isoformat(), "due": None}
        return {"day": None, "due": write_instant(due)}

    async def complete_task(self, ref: TaskRef) -> Reading:
        """Tick one to-do off; harmless if it is done already."""
        answer = await self._http.write("POST", f"/todos/{quote(ref.remote_id, safe='')}/done")
        return answer.parse(Todo).reading(self._dues)

    async def list_contacts(self) -> Listing[Record]:
        """Every person, read whole or not at all."""
        return await self._list("/people", self._person)

    async def get_contact(self, remote_id: str) -> Record:
        """One person. Raises `Missing`."""
        answer = await self._http.read("GET", f"/people/{quote(remote_id, safe='')}")
        return answer.parse(Person).record(self._region)

    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        """The people with this e-mail."""
        if "@" not in key:
            raise NotImplementedError("the to-do list finds people by e-mail only")
        listing = await self._list("/people", self._person, email=key)
        return tuple(row for row in listing.rows if key in row.emails)

    async def create_contact(self, record: Record) -> Record:
        """The one person with this e-mail, added if there is none. Raises `Ambiguous` for several."""
        if not record.emails:
            raise Refused("the to-do list keeps people by e-mail, and this one has none", system=SYSTEM)
        found = await self.find_contacts(record.emails[0])
        if len(found) > 1:
            several = tuple(row.remote_id for row in found)
            raise Ambiguous("several people have this e-mail", contacts=several, system=SYSTEM)
        if found:
            return found[0]
        person = {"name": record.name, "email": record.emails[0], "phone": next(iter(record.phones), None)}
        return (await self._create("/people", person)).parse(Person).record(self._region)

    async def check(self) -> list[Check]:
        """Read the account and one page of each list."""
        return [await self._try(path) for path in ("/me", "/todos", "/people")]

    async def _try(self, path: str) -> Check:
        try:
            (await self._read(path)).parse(TodoAccount if path == "/me" else TodoPage)
        except AdapterError as error:
            return Check(f"read {path}", ok=False, detail=error.words, advice="check todolist.key and the network")
        return Check(f"read {path}", ok=True)

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def _list(self, path: str, read: Callable[[Any], _Item | None], **wanted: str) -> Listing[_Item]:
        """Every row of a list once; a row that cannot be read is named and spoils no other."""
        rows: dict[str, _Item] = {}
        unreadable: list[Unreadable] = []
        for raw in await self._rows(path, wanted):
            try:
                item = read(raw)
                if item is not None:
                    rows[item.remote_id] = item
            except ValidationError as error:
                unreadable.append(self._unreadable(raw, error))
        return Listing(tuple(rows.values()), tuple(unreadable))

    async def _rows(self, path: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """All pages, or an error: a list that names a page for the second time has no end."""
        rows: list[dict[str, Any]] = []
        seen: set[str | None] = {None}
        page = (await self._read(path, **wanted)).parse(TodoPage)
        while page.next not in seen:
            seen.add(page.next)
            rows += page.items
            page = (await self._read(path, **wanted, after=page.next or "")).parse(TodoPage)
        if page.next is not None:
            raise BadAnswer("the list has no end: it names the same page again", system=SYSTEM)
        return rows + page.items

    async def _read(self, path: str, **params: str) -> Answer:
        """A page that is always there: if it is not, the address is wrong, and nothing is missing."""
        try:
            return await self._http.read("GET", path, params=params)
        except Missing as error:
            raise BadAnswer(error.words, system=SYSTEM, status=error.status) from error

    async def _create(self, path: str, wanted: Mapping[str, str | None]) -> Answer:
        """What is missing, if anything, is whose it should be: what is to be created cannot be."""
        try:
            return await self._http.write("POST", path, json=wanted)
        except Missing as error:
            raise Refused(error.words, system=SYSTEM, status=error.status) from error

    def _todo(self, raw: Any) -> Reading | None:
        todo = Todo.model_validate(raw)
        return None if todo.trashed else todo.reading(self._dues)

    def _unreadable(self, raw: dict[str, Any], error: ValidationError) -> Unreadable:
        """What is wrong with a row, and what of it can be read."""
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        remote_id, person = (raw.get(name) if isinstance(raw.get(name), str) else None for name in ("id", "person"))
        try:
            due = WhenDue.model_validate(raw).instant(self._dues)
        except ValidationError:
            due = None
        received = excerpt(str(raw).encode())
        return Unreadable(SYSTEM, remote_id, f"{where}: {first['msg']}", received, person, due)

    def _person(self, raw: Any) -> Record | None:
        return Person.model_validate(raw).record(self._region)


def _note(body: str | None, marker: Marker | None) -> str:
    """The text, with our marker as its last line. A marker that somebody copied into the text is left out."""
    text, _copied = split_marker(body)
    return "\n".join(part for part in (text, marker and marker.line) if part)
