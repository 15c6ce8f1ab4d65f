"""Answers: accepted bodies, error texts, and whether an error really comes from the CRM (pure).

A proxy or a gateway may answer instead of the CRM, with any status. Only errors that look as the CRM documents them
are believed.
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
from syncer.contract.errors import AdapterError
from syncer.domain.redact import longest_form, redact

EXCERPT: Final = 300
"""Characters of an answer that an error message of ours may quote."""

_M = TypeVar("_M", bound=BaseModel)
_BODY: Final = TypeAdapter(dict[str, Any])
_WORDS: Final = ("message", "detail", "title", "errors", "code", "error", "error_description", "error_info")
"""Common fields of an error body."""
_PADDING: Final = " \t\r\n\0\ufeff"
# The group keeps what is fine: an escaped backslash, a complete surrogate pair. The rest is replaced: NUL, and half of
# such a pair, which neither UTF-8 nor PostgreSQL can store.
_ESCAPES: Final = re.compile(rb"(?i)(\\\\|\\ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2})|\\u0000|\\ud[89a-f][\da-f]{2}")

ErrorBody = dict[str, Any] | None
"""The JSON object of an error body; ``None`` if the body is empty."""
OwnError = Callable[[int, ErrorBody], bool]
"""Whether a status and a body look like an error that the CRM documents."""


def any_object(_status: int, body: ErrorBody, *, says: Sequence[str] = ()) -> bool:
    """The default `OwnError`: a JSON object with a text in one of the fields ``says`` or in a common field."""
    return body is not None and any(_field(body, name) for name in (*says, *_WORDS))


def _field(body: dict[str, Any], path: str) -> Any:
    """The value at a path such as ``error.message``; ``None`` if there is none."""
    value: Any = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def error_body(content: bytes) -> ErrorBody:
    """The JSON object of an error body, ``None`` if it is empty. Raises `ValueError` if it is anything else."""
    if not content.strip():
        return None
    # The documented errors are short. A long page comes from a proxy, and is not worth parsing.
    if len(content) > STEP:
        msg = "too long for an error"
        raise ValueError(msg)
    return _BODY.validate_json(_storable(content))


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted answer. ``unreadable`` is the error to raise if it cannot be understood."""

    system: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    unreadable: type[AdapterError]

    def parse(self, model: type[_M]) -> _M:
        """The body as this model. Raises `BadAnswer` for a read, `InDoubt` for a write."""
        try:
            return model.model_validate_json(_storable(self.content))
        except ValidationError as error:
            raise self.unreadable(self._complaint(error), system=self.system, status=self.status) from None

    def parse_as(self, adapter: TypeAdapter[Any]) -> Any:
        """The body as any type that pydantic supports. Raises the same errors as `parse`."""
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

    JSON in UTF-16 or UTF-32 is converted. Raises `Unfit` if it is too deep.
    """
    if is_wide(content):
        try:
            text = content.decode(json.detect_encoding(content)).strip(_PADDING)
        except UnicodeDecodeError:
            text = ""
        # The encoding was only guessed: convert the body if it is JSON then.
        if text[:1] in ("{", "["):
            content = text.encode("utf-8", "replace")
        check_depth(content)
    padding = _PADDING.encode()
    # A byte of the mark may also be the last byte of a character. JSON never ends with one: it ends with a bracket, a
    # quote, a digit or a letter.
    return content.strip(padding) if content[:1] in padding or content[-1:] in padding else content


def _storable(content: bytes) -> bytes:
    """The JSON with ``�`` for NULs and incomplete characters, which the ledger cannot store."""
    # Some programs cut a text in the middle of a character. That must not make the whole answer unreadable. And if the
    # ledger stored another text than was read, the text would look edited in every run.
    if not content.isascii():
        content = content.decode("utf-8", "replace").encode()
    if rb"\u0000" not in content and rb"\ud" not in content.lower():
        return content
    return _ESCAPES.sub(lambda found: found[1] or rb"\ufffd", content)


def excerpt(content: bytes) -> str:
    """The beginning of a body, on one line and redacted."""
    text = redact(content[:STEP].decode("utf-8", "replace"))
    if len(content) > STEP:
        # The cut may go through a secret, and a part of a secret would not be masked.
        text = text[: max(0, len(text) - longest_form())]
    return short(text, redacted=True)


def short(text: str, *, redacted: bool = False) -> str:
    """The beginning of a text, on one line and redacted."""
    if not redacted:
        return excerpt(text.encode("utf-8", "replace"))
    # Cut first: splitting a body of many megabytes for one line would hold up the event loop.
    words = " ".join(text[: 4 * EXCERPT].split())
    return words[:EXCERPT] + ("…" if len(words) > EXCERPT or len(text) > 4 * EXCERPT else "")


def said(content: bytes, says: Sequence[str] = ()) -> str:
    """The CRM's error text in an error body, redacted.

    It is taken from the fields that the adapter declares: ``says`` has paths such as ``error.message``. If they are
    empty, it is taken from the common ones: a message, or the title, detail and code of a problem, or an error and its
    description.
    """
    try:
        body = error_body(content) or {}
    except ValueError:
        return excerpt(content)
    parts = [_field(body, path) for path in says]
    if not any(parts):
        parts = [body.get("message")]
    # Superfone and HighLevel have a message, Reply has a problem (RFC 9457), and token calls have an OAuth error.
    if parts == [None]:
        parts = [body.get("detail") or body.get("title"), body.get("errors"), body.get("code")]
    if not any(parts):
        parts = [_field(body, "error.message") or body.get("error")]
        parts += [body.get("error_description") or body.get("error_info")]
    flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    words = " ".join(str(part) for part in flat if part)
    return short(words) if words else excerpt(content)


def outcome_of(status: int, *, fit: bool) -> str:
    """The word under which an answer is counted: ``ok``, ``unfit``, ``throttled``, ``refused`` or ``failed``."""
    if 200 <= status < 300:
        return "ok" if fit else "unfit"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    return "refused" if 400 <= status < 500 else "failed"
