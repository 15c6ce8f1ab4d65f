"""Find out which method of an adapter is to be written next, by calling each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from adapters.conformance.bench import Bench
from adapters.skeleton import STEPS
from syncer.contract.adapter import Adapter, Capabilities, ListsTasks
from syncer.domain.model import Draft, Edit, Kind, Record, TaskRef
from syncer.domain.task_ids import Marker

Call = Callable[[Adapter, str, TaskRef, Draft], Awaitable[object]]
_MARKER: Final = Marker("1k2m9ab3xq", "elsewhere:7")
_EMAIL: Final = "asha.rao@example.com"
_PHONE: Final = "+919876543210"
_ASHA: Final = Record("elsewhere", "x", "Asha Rao", (_PHONE,), (_EMAIL,))


def _find(adapter: Adapter, *_: object) -> Awaitable[object]:
    return adapter.find_contacts(_EMAIL if "email" in adapter.capabilities.contact_keys else _PHONE)


_CALLS: Final[dict[str, Call]] = {
    "identity": lambda adapter, *_: adapter.identity(),
    "list_contacts": lambda adapter, *_: adapter.list_contacts(),
    "get_contact": lambda adapter, contact, *_: adapter.get_contact(contact),
    "find_contacts": _find,
    "create_contact": lambda adapter, *_: adapter.create_contact(_ASHA),
    "list_contact_tasks": lambda adapter, contact, *_: adapter.list_contact_tasks(contact),
    "list_tasks": lambda adapter, *_: adapter.list_tasks(),
    "get_task": lambda adapter, _contact, ref, _draft: adapter.get_task(ref),
    "create_task": lambda adapter, _contact, _ref, draft: adapter.create_task(draft),
    "complete_task": lambda adapter, _contact, ref, _draft: adapter.complete_task(ref),
    "list_changed": lambda adapter, *_: adapter.list_changed(None),
    "edit_task": lambda adapter, _contact, ref, draft: adapter.edit_task(ref, Edit({}, {}, draft.kind, draft.now)),
    "check": lambda adapter, *_: adapter.check(),
}


def _is_declared(name: str, can: Capabilities) -> bool:
    """Whether the adapter must have this method."""
    declared = {
        "list_contacts": can.lists_contacts,
        "get_contact": can.lists_contacts,
        "find_contacts": bool(can.contact_keys),
        "list_tasks": can.lists_tasks is ListsTasks.ALL,
        "get_task": can.gets_task,
        "list_changed": can.tells_changes,
        "edit_task": bool(can.edits),
    }
    return declared.get(name, True)


async def missing_in(bench: Bench) -> str:
    """Return the first method that is not written yet and what it has to do, or an empty text if all are written.

    The bench cannot be used after that.
    """
    adapter = bench.adapter
    if not hasattr(adapter, "wire"):
        return _words("wire")
    try:
        can = adapter.capabilities
    except NotImplementedError:
        return _words("capabilities")
    contact = bench.add_contact("Asha Rao", _EMAIL, _PHONE)
    now = bench.sandbox.clock()
    due = now.replace(microsecond=0, second=0) + timedelta(days=1)
    # A skeleton may not say yet what it creates.
    kind = min(can.creates, default=Kind.TODO)
    draft = Draft(_MARKER, contact, kind, "Call", None, due, now)
    ref = TaskRef(adapter.system, bench.add_task(contact, kind, due, "Call"), contact)
    for name, call in _CALLS.items():
        if not _is_declared(name, can):
            continue
        try:
            await call(adapter, contact, ref, draft)
        except NotImplementedError:
            await _close(adapter)
            return _words(name)
        except Exception:  # noqa: S112, BLE001 - it is written, and the trials say what is wrong with it
            continue
    await _close(adapter)
    return ""


async def _close(adapter: Adapter) -> None:
    with suppress(Exception):
        await adapter.aclose()


def _words(name: str) -> str:
    return f"write `{name}`: {STEPS[name]}"
