"""Superfone, simulated from its documentation: all statuses and messages of its two lead and three task calls.

Undocumented behaviour is a switch, or has a comment that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from adapters.instants import read_iso
from adapters.sandbox import Call, Lie, Reply, Sandbox, json_reply
from adapters.superfone.sandbox_store import API_USER, Organisation, SandboxLead, SandboxTask, to_millisecond
from adapters.superfone.types import KINDS, SYSTEM

_LEAD: Final = "/enterprise/api/lead"
_TASKS: Final = re.compile(r"/enterprise/api/lead/([^/]*)/task")
_COMPLETE: Final = re.compile(r"/enterprise/api/lead/([^/]*)/task/complete")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_MAX_PAGE: Final = 20
_UPSERTED: Final[tuple[str, ...]] = (
    "first_name",
    "last_name",
    "email",
    "website",
    "business_name",
    "additional_info",
    "city",
    "deal_value",
    "source",
    "source_type",
    "address",
)


class _Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.reply = json_reply(status, {"message": message})


class SuperfoneSandbox(Organisation, Sandbox):
    """One Superfone account.

    Two switches are for undocumented behaviour: ``no_lead`` is the answer to a lookup without a result, and
    ``upsert_gives_lead`` tells whether the answer to creating a lead has the lead. ``allowed_types`` are the types that
    the account may create. ``storage_full`` puts it at its limit. ``page_clamp`` is the largest page, whatever the
    request says. The rest is in `Organisation`.
    """

    system: ClassVar[str] = SYSTEM
    told_as: ClassVar[Mapping[Lie, str]] = {"task": "id", "contact": "customer_id", "due": "due_date"}

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        api_key: str = "superfone-key",
        org_id: int = 42,
        first_lead: int = 12345,
        first_task: int = 4567,
    ) -> None:
        Sandbox.__init__(self, clock)
        Organisation.__init__(self, clock, first_lead=first_lead, first_task=first_task)
        self.api_key = api_key
        self.org_id = org_id
        self.no_lead: Literal["404", "400", "null"] = "404"
        self.upsert_gives_lead = True
        self.storage_full = False
        self.page_clamp = _MAX_PAGE
        self.allowed_types: tuple[str, ...] = tuple(KINDS)

    def handle(self, call: Call) -> Reply:
        """Answer one call. The order of the checks is a guess: key, path, query or body, lead, quota."""
        if call.headers.get("x-api-key") != self.api_key:
            return self.unauthorized()
        try:
            return json_reply(200, {"data": self._route(call), "message": "success"})
        except _Refusal as refusal:
            return refusal.reply

    def is_write(self, call: Call) -> bool:
        """Whether the call would change something."""
        return call.method == "POST"

    def unauthorized(self) -> Reply:
        """The documented 401."""
        return json_reply(401, {"message": "UnAuthorized, Please Provide Valid API Key"})

    def throttled(self) -> Reply:
        """A 429. It is not documented, so it has no header that says how long to wait."""
        return json_reply(429, {"message": "Too Many Requests"})

    def _route(self, call: Call) -> Any:
        if call.path == _LEAD and call.method == "GET":
            return self._get_lead(call)
        if call.path == _LEAD and call.method == "POST":
            return self._upsert_lead(_object(call))
        if (match := _TASKS.fullmatch(call.path)) and call.method == "GET":
            return self._list(_lead_id(match[1]), call.query)
        if match and call.method == "POST":
            return self._create(_lead_id(match[1]), call)
        if (match := _COMPLETE.fullmatch(call.path)) and call.method == "POST":
            return self._complete(self._known(_lead_id(match[1])))
        raise _Refusal(404, "Not Found")

    def _get_lead(self, call: Call) -> Any:
        if not call.query.get("phone"):
            # Undocumented: the answer to a lookup without a number.
            raise _Refusal(400, "phone is required")
        lead = self.lead_by_phone(call.query["phone"])
        if lead is not None:
            return self._lead_json(lead)
        if self.no_lead == "null":
            return None
        raise _Refusal(404, "Lead not found") if self.no_lead == "404" else _Refusal(400, "Customer not found")

    def _upsert_lead(self, body: dict[str, Any]) -> Any:
        phone = body.get("customer_phone")
        if not phone or not isinstance(phone, str):
            raise _Refusal(400, "Customer phone is required to identify the record to update")
        fields = {name: body[name] for name in _UPSERTED if name in body}
        # Only the primary number is compared, so a secondary number creates a second lead. Undocumented, but likely.
        known = next((lead for lead in self.leads() if lead.phones[:1] == (phone,)), None)
        if known is not None:
            lead = self.update_lead(known, fields)
        elif body.get("create_customer_if_customer_phone_not_found") is not True:
            raise _Refusal(400, "Customer not found")
        elif self.storage_full:
            # Documented for the creation of tasks only, although the text is about leads.
            raise _Refusal(404, "Lead storage is full")
        else:
            lead = self.lead(self.insert_lead((phone,), fields, None))
        return self._lead_json(lead) if self.upsert_gives_lead else None

    def _list(self, lead: int, query: Mapping[str, str]) -> Any:
        size_text = query.get("page_size", str(_MAX_PAGE))
        if not _NUMBER.fullmatch(size_text) or int(size_text) < 1:
            raise _Refusal(400, "page_size must be a positive integer")
        size = int(size_text)
        if size > _MAX_PAGE:
            # Documented: a larger page is refused, not cut.
            raise _Refusal(400, "page_size cannot exceed 20")
        size = min(size, self.page_clamp)
        # Pages are counted from the newest task. One that is created between two pages shifts all rows.
        rows = self.tasks(self._known(lead))
        page_text = query.get("page", "1")
        # Undocumented: an invalid page number means the first page; a page past the end is empty.
        page = max(1, int(page_text)) if _NUMBER.fullmatch(page_text) else 1
        return {
            "rows": [self._task_json(task) for task in rows[(page - 1) * size : page * size]],
            "total_pages": -(-len(rows) // size),
            "current_page": page,
            "page_size": size,
            "total_items": len(rows),
        }

    def _create(self, lead: int, call: Call) -> Any:
        body = _object(call)
        if not body:
            raise _Refusal(400, "Request body is empty")
        raw_type, due, notify_at = body.get("type"), body.get("due_date"), body.get("notify_at")
        if not raw_type:
            raise _Refusal(400, "type is required")
        if raw_type not in self.allowed_types:
            allowed = ", ".join(self.allowed_types)
            raise _Refusal(400, f'type "{raw_type}" is not available for creation. Allowed: {allowed}')
        if not due:
            raise _Refusal(400, "due_date is required")
        due = _instant(due, "due_date")
        if notify_at is not None:
            notify_at = _instant(notify_at, "notify_at")
            self._check_notify(notify_at, due)
        self._known(lead)
        if self.storage_full:
            raise _Refusal(404, "Lead storage is full")
        task = self.insert_task(lead, raw_type, due, notify_at=notify_at, note=body.get("customer_note"))
        self.supersede(task)
        rows = (self._task_json(other) for one in self.leads() for other in self.tasks(one.id))
        # Documented in the answer to a create only.
        return {**self.told(self._task_json(task), lambda: rows), "type_name": None}

    def _check_notify(self, notify_at: datetime, due: datetime) -> None:
        if not self.now() < notify_at <= due:
            # The rule is documented, its message is not.
            raise _Refusal(400, "notify_at must be in the future and not after due_date")

    def _complete(self, lead: int) -> Any:
        # The request names no task. A newer reminder is closed in place of the task that was meant.
        newest = next(iter(self.open_tasks(lead)), None)
        if newest is None:
            raise _Refusal(400, "No open task found for this lead")
        return self._task_json(self.touch(newest.id, API_USER, open=False))

    def _known(self, lead: int) -> int:
        if not self.has_lead(lead):
            raise _Refusal(404, "Lead not found")
        return lead

    def _task_json(self, task: SandboxTask) -> dict[str, Any]:
        return {
            "id": task.id,
            "org_id": self.org_id,
            "customer_id": task.lead,
            "title": task.title,
            "type": task.type,
            "due_date": _text(task.due),
            "notify_at": _text(task.notify_at),
            # It is in every answer, and no call sets it.
            "notify": True,
            # There is no word for superseded, cancelled or deleted, and no time of completion.
            "task_status": "PENDING" if task.open else "COMPLETE",
            "status": "ACTIVE" if task.open else "COMPLETE",
            "assignee_user_id": task.assignee,
            "created_by": task.created_by,
            "updated_by": task.updated_by,
            "created_at": _text(task.created_at),
            "updated_at": _text(task.updated_at),
        }

    def _lead_json(self, lead: SandboxLead) -> dict[str, Any]:
        user = None if lead.assignee is None else {"id": lead.assignee, "first_name": "Asha", "last_name": None}
        return {
            "id": lead.id,
            "org_id": self.org_id,
            # Nearly every field of a lead may be null.
            **dict.fromkeys(_UPSERTED),
            **lead.fields,
            "status": "ACTIVE",
            "assignee_user_id": lead.assignee,
            "lead_stage_id": None,
            "lead_group_id": None,
            "created_at": _text(lead.created_at),
            "updated_at": _text(lead.updated_at),
            "phones": [{"phone": phone, "customer_id": lead.id} for phone in lead.phones],
            "labels": [],
            "lead_stage": None,
            "lead_group": None,
            "assignee_user": user,
        }


def _lead_id(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _Refusal(400, "lead_id must be a number")
    return int(text)


def _object(call: Call) -> dict[str, Any]:
    """The body. If it is not a JSON object, it counts as empty, which is undocumented."""
    body = call.json()
    return body if isinstance(body, dict) else {}


def _instant(value: object, name: str) -> datetime:
    try:
        return to_millisecond(read_iso(value))
    except ValueError:
        # Undocumented: the answer to an invalid date.
        raise _Refusal(400, f"{name} must be a valid ISO 8601 timestamp") from None


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
