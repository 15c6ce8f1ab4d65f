"""The connection to one to-do list: its calls, in the canonical model's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, ClassVar, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, StrictBool, StrictStr, StringConstraints, ValidationError

from adapters.http.client import Answer, Http, Transport, excerpt
from adapters.instants import read_instant
from adapters.text import plain_text, title_text
from syncer.contract.adapter import (
    Adapter,
    AdapterError,
    BadAnswer,
    Capabilities,
    Check,
    Completes,
    Identity,
    ListsTasks,
    Missing,
    Refused,
)
from syncer.contract.profile import Profile
from syncer.contract.settings import BaseUrl, ConnectionSettings, Rate, Rates, Secret
from syncer.domain.contact_keys import email_key, phone_key
from syncer.domain.model import Draft, Kind, Listing, Reading, Record, State, TaskRef, Unreadable, split_marker

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


class Todo(BaseModel):
    """A to-do as it is sent. What is shown may be missing; what decides something may not."""

    id: Id
    person: Id
    text: StrictStr
    note: StrictStr | None = None
    due: Annotated[datetime | None, BeforeValidator(read_instant)] = None
    done: StrictBool

    def reading(self) -> Reading:
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
            due=self.due,
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


class Page(BaseModel):
    """A page of any list; ``next`` is what to ask for, ``None`` on the last one."""

    items: list[dict[str, Any]]
    next: StrictStr | None


class Account(BaseModel):
    """Whose key it is."""

    account: Id


class TodoListAdapter(Adapter):
    """One to-do list. ``region`` reads phone numbers that have no country code."""

    system: ClassVar[str] = SYSTEM
    settings_model: ClassVar[type[TodoListSettings]] = TodoListSettings

    def __init__(
        self, settings: TodoListSettings, *, region: str, zone: tzinfo = UTC, transport: Transport | None = None
    ) -> None:
        del zone  # Its dues are instants.
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
            notes={"kinds": "A to-do has no kind: what comes from here is a to-do elsewhere."},
        )

    async def identity(self) -> Identity:
        """The account that the key opens."""
        account = (await self._read("/me")).parse(Account).account
        return Identity(account, f"to-do list {account}")

    async def list_tasks(self) -> Listing[Reading]:
        """Every open to-do, read whole or not at all."""
        listing = await self._list("/todos", self._todo, done="false")
        return Listing(tuple(row for row in listing.rows if row.state is State.OPEN), listing.unreadable)

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        """One person's to-dos, open and done. Raises `Missing` if there is no such person."""
        await self.get_contact(contact)
        return await self._list("/todos", self._todo, person=contact)

    async def get_task(self, ref: TaskRef) -> Reading:
        """One to-do. Raises `Missing`."""
        answer = await self._http.read("GET", f"/todos/{quote(ref.remote_id, safe='')}")
        todo = answer.parse(Todo)
        if todo.id != ref.remote_id:
            raise BadAnswer(f"asked about {ref.remote_id}, it answered with {todo.id}", system=SYSTEM)
        return todo.reading()

    async def create_task(self, draft: Draft) -> Reading:
        """Create a to-do whose note ends with our marker."""
        text, _marker = split_marker(draft.body)
        todo = {
            "person": draft.contact,
            "text": draft.title,
            "note": "\n".join(part for part in (text, draft.marker.line) if part),
            "due": draft.due.isoformat(),
        }
        return (await self._create("/todos", todo)).parse(Todo).reading()

    async def complete_task(self, ref: TaskRef) -> Reading:
        """Tick one to-do off; harmless if it is done already."""
        answer = await self._http.write("POST", f"/todos/{quote(ref.remote_id, safe='')}/done")
        return answer.parse(Todo).reading()

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
        """The one person with this e-mail, added if there is none."""
        if not record.emails:
            raise Refused("the to-do list keeps people by e-mail, and this one has none", system=SYSTEM)
        found = await self.find_contacts(record.emails[0])
        if found:
            return found[0]
        person = {"name": record.name, "email": record.emails[0], "phone": next(iter(record.phones), None)}
        return (await self._create("/people", person)).parse(Person).record(self._region)

    async def check(self) -> list[Check]:
        """Read the account and one page of each list."""
        return [await self._try(path) for path in ("/me", "/todos", "/people")]

    async def _try(self, path: str) -> Check:
        try:
            (await self._read(path)).parse(Account if path == "/me" else Page)
        except AdapterError as error:
            return Check(f"read {path}", ok=False, detail=error.words, advice="check todolist.key and the network")
        return Check(f"read {path}", ok=True)

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def _list(self, path: str, read: Callable[[Any], _Item], **wanted: str) -> Listing[_Item]:
        """Every row of a list once; a row that cannot be read is named and spoils no other."""
        rows: dict[str, _Item] = {}
        unreadable: list[Unreadable] = []
        for raw in await self._rows(path, wanted):
            try:
                item = read(raw)
                rows[item.remote_id] = item
            except ValidationError as error:
                unreadable.append(_unreadable(raw, error))
        return Listing(tuple(rows.values()), tuple(unreadable))

    async def _rows(self, path: str, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """All pages, or an error: a list that names a page for the second time has no end."""
        rows: list[dict[str, Any]] = []
        seen: set[str | None] = {None}
        page = (await self._read(path, **wanted)).parse(Page)
        while page.next not in seen:
            seen.add(page.next)
            rows += page.items
            page = (await self._read(path, **wanted, after=page.next or "")).parse(Page)
        if page.next is not None:
            raise BadAnswer("the list has no end: it names the same page again", system=SYSTEM)
        return rows + page.items

    async def _read(self, path: str, **params: str) -> Answer:
        """A page that is always there: if it is not, the address is wrong, and nothing is missing."""
        try:
            return await self._http.read("GET", path, params=params)
        except (Missing, Refused) as error:
            raise BadAnswer(error.words, system=SYSTEM, status=error.status) from error

    async def _create(self, path: str, wanted: Mapping[str, str | None]) -> Answer:
        """What is missing, if anything, is whose it should be: what is to be created cannot be."""
        try:
            return await self._http.write("POST", path, json=wanted)
        except Missing as error:
            raise Refused(error.words, system=SYSTEM, status=error.status) from error

    def _todo(self, raw: Any) -> Reading:
        return Todo.model_validate(raw).reading()

    def _person(self, raw: Any) -> Record:
        return Person.model_validate(raw).record(self._region)


def _unreadable(raw: dict[str, Any], error: ValidationError) -> Unreadable:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    remote_id = raw.get("id") if isinstance(raw.get("id"), str) else None
    return Unreadable(SYSTEM, remote_id, f"{where}: {first['msg']}", excerpt(str(raw).encode()))
