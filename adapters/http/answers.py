"""What came back: accepted answers, the words of refusals, and which refusals are a CRM's own (pure).

A proxy or a gateway may answer in a CRM's place, with any status. Believed is what the CRM documents, nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from adapters.http.arriving import STEP, check_depth, is_wide
from syncer.contract.adapter import AdapterError
from syncer.domain.redact import longest_form, redact

EXCERPT: Final = 300
"""Characters of an answer that any text of ours repeats."""

_M = TypeVar("_M", bound=BaseModel)
_BODY: Final = TypeAdapter(dict[str, Any])
_WORDS: Final = ("message", "detail", "title", "errors", "code", "error", "error_description", "error_info")
"""The usual fields of an error's body."""
_PADDING: Final = " \t\r\n\0\ufeff"
# A backslash that stands for itself, a whole surrogate pair; then what no text may hold: NUL, half of such a pair.
_ESCAPES: Final = re.compile(rb"(?i)(\\\\|\\ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2})|\\u0000|\\ud[89a-f][\da-f]{2}")

ErrorBody = dict[str, Any] | None
"""The JSON object of an error's body; ``None`` where the body is empty."""
OwnError = Callable[[int, ErrorBody], bool]
"""Whether a body of this status looks as the CRM documents its errors."""


def any_object(_status: int, body: ErrorBody, *, says: Sequence[str] = ()) -> bool:
    """Errors of a CRM of which no more is known: a JSON object that says something, in these or the usual fields."""
    return body is not None and any(_field(body, name) for name in (*says, *_WORDS))


def _field(body: dict[str, Any], path: str) -> Any:
    """The value at a path such as ``error.message``; ``None`` where there is none."""
    value: Any = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def error_body(content: bytes) -> ErrorBody:
    """The object that an error's body is, ``None`` for an empty one. Raises `ValueError` for whatever else it is."""
    if not content.strip():
        return None
    if len(content) > STEP:
        msg = "too long for an error"
        raise ValueError(msg)
    return _BODY.validate_json(_storable(content))


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted answer. ``unreadable`` is the error to raise where it cannot be understood."""

    system: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    unreadable: type[AdapterError]

    def parse(self, model: type[_M]) -> _M:
        """The body as this model; raises `BadAnswer`, or `InDoubt` if it answers a write."""
        try:
            return model.model_validate_json(_storable(self.content))
        except ValidationError as error:
            raise self.unreadable(self._complaint(error), system=self.system, status=self.status) from None

    def parse_as(self, adapter: TypeAdapter[Any]) -> Any:
        """The body as any type that pydantic knows; raises like `parse`."""
        try:
            return adapter.validate_json(_storable(self.content))
        except ValidationError as error:
            raise self.unreadable(self._complaint(error), system=self.system, status=self.status) from None

    def _complaint(self, error: ValidationError) -> str:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        return f"{short(where)}: {short(first['msg'])}; received: {excerpt(self.content)}"


def readable(content: bytes) -> bytes:
    """The body in UTF-8, without a byte order mark, and without white space or NULs around it.

    What is written in two or four bytes to a character is rewritten, if it surely is. Raises `Unfit` where that
    turns out to be too deep.
    """
    if is_wide(content):
        try:
            text = content.decode(json.detect_encoding(content)).strip(_PADDING)
        except UnicodeDecodeError:
            text = ""
        if text[:1] in ("{", "["):
            content = text.encode("utf-8", "replace")
        check_depth(content)
    padding = _PADDING.encode()
    # Bytes of a mark may end a character: a text is never cut there, as JSON ends in a bracket, quote or digit.
    return content.strip(padding) if content[:1] in padding or content[-1:] in padding else content


def _storable(content: bytes) -> bytes:
    """JSON whose texts can be read and stored; what would be stored otherwise than it was read looks changed for ever.

    Programs that cut a text to a length leave half a character: no reason to lose the rest of the answer.
    """
    if not content.isascii():
        content = content.decode("utf-8", "replace").encode()
    if rb"\u0000" not in content and rb"\ud" not in content.lower():
        return content
    return _ESCAPES.sub(lambda found: found[1] or rb"\ufffd", content)


def excerpt(content: bytes) -> str:
    """The beginning of a body on one line, redacted."""
    text = redact(content[:STEP].decode("utf-8", "replace"))
    if len(content) > STEP:
        # What is left of a secret that was cut in two would not be recognised.
        text = text[: max(0, len(text) - longest_form())]
    return short(text, redacted=True)


def short(text: str, *, redacted: bool = False) -> str:
    """The beginning of a text on one line, redacted."""
    if not redacted:
        return excerpt(text.encode("utf-8", "replace"))
    words = " ".join(text[: 4 * EXCERPT].split())
    return words[:EXCERPT] + ("…" if len(words) > EXCERPT or len(text) > 4 * EXCERPT else "")


def said(content: bytes, says: Sequence[str] = ()) -> str:
    """The CRM's own words in an error body, redacted: all of the fields that an adapter declares, else the usual ones.

    Those are a message, or a problem's title, detail and code, or an error and its description. ``says`` has paths,
    such as ``error.message``.
    """
    try:
        body = error_body(content) or {}
    except ValueError:
        return excerpt(content)
    parts = [_field(body, path) for path in says]
    if not any(parts):
        parts = [body.get("message")]
    if parts == [None]:
        parts = [body.get("detail") or body.get("title"), body.get("errors"), body.get("code")]
    if not any(parts):
        parts = [_field(body, "error.message") or body.get("error")]
        parts += [body.get("error_description") or body.get("error_info")]
    flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    words = " ".join(str(part) for part in flat if part)
    return short(words) if words else excerpt(content)


def outcome_of(status: int, *, fit: bool) -> str:
    """One word for an answer, to be counted: ``ok``, ``unfit``, ``throttled``, ``refused`` or ``failed``."""
    if 200 <= status < 300:
        return "ok" if fit else "unfit"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    return "refused" if 400 <= status < 500 else "failed"
