"""Render templates. Every value is escaped, unless it is markup of our own."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from syncer import __version__
from syncer.config.registry import label_of
from syncer.domain.times import moment_at, span, with_local_dues
from syncer.web.views import about, title_of

# Strict: a misspelt name in a template is an error, and not an empty text.
_environment: Final = Environment(
    loader=PackageLoader("syncer.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(template: str, **values: Any) -> str:
    """Render a template with these values."""
    return _environment.get_template(template).render(**values)


def _time(at: datetime, zone: tzinfo) -> Markup:
    """Return an instant for people, in the account's time zone, and for programs."""
    words = moment_at(at, zone, datetime.now(UTC))
    exact = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(exact, words)


def _local(words: str, zone: tzinfo) -> str:
    return with_local_dues(words, zone, datetime.now(UTC))


def _ago(at: datetime) -> str:
    return f"{about(datetime.now(UTC) - at)} ago"


def _sentence(words: str) -> str:
    """Return the words with a capital letter at the beginning."""
    return words[:1].upper() + words[1:]


def _account_path(name: str) -> str:
    return f"/accounts/{quote(name)}"


def _task_path(task: str, account: str) -> str:
    return f"{_account_path(account)}/tasks/{quote(task, safe=':~')}"


_environment.filters |= {
    "time": _time,
    "local": _local,
    "ago": _ago,
    "label": label_of,
    "title_of": title_of,
    "account_path": _account_path,
    "task_path": _task_path,
    "span": span,
    "sentence": _sentence,
}
_environment.globals |= {"version": __version__}
