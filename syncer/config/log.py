"""Logs: one line for each event, on standard error or in a file, redacted. Lines that cannot be written are lost.

Each record has a word for the event, then fields: ``account`` and ``run`` from the context; ``system``, ``task``,
``remote_id`` and the like from the call.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from syncer.domain.redact import redact
from syncer.files import refuse_link

__all__ = ["LEVELS", "about", "configure", "silenced", "write_error"]

LEVELS: Final = ("debug", "info", "warning", "error")
_LARGEST: Final = 64
"""The largest number in bits. Python raises an error when it writes a number of thousands of digits."""
_FIRST: Final = ("timestamp", "level", "event", "account", "run", "system", "task")

about = bound_contextvars
"""``with about(account="acme", run="01…"):`` adds these fields to every record of the block."""


class _StandardError:
    """The current standard error, because tests and test runners replace it."""

    def write(self, text: str) -> int:
        write_error(text)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: `write` flushes."""

    def isatty(self) -> bool:
        return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def write_error(text: str) -> None:
    """Write a redacted text to standard error. If that fails, the text is lost, and no error is raised."""
    stream = sys.stderr
    if stream is None or stream.closed:
        return
    try:
        stream.write(text)
        # At once, so that the last lines before a crash are there.
        stream.flush()
    except (OSError, ValueError):
        _write_no_more_than_now(stream)


def _write_no_more_than_now(stream: Any) -> None:
    """Discard what could not be written. Python would try to write it again at exit, and change the exit status."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if raw is not None:
        sys.stderr = io.TextIOWrapper(raw, stream.encoding, "backslashreplace", write_through=True)


class _File:
    """A log file. It is opened again if somebody has moved it away. Lines that cannot be written are lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor, self._found = self._open()

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._follow()
            os.write(self._descriptor, text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Nothing to do: `write` is unbuffered."""

    def isatty(self) -> bool:
        return False

    def _open(self) -> tuple[int, os.stat_result]:
        refuse_link(self._path)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600)
        return descriptor, os.fstat(descriptor)

    def _follow(self) -> None:
        try:
            here = self._path.lstat()
        except FileNotFoundError:
            here = None
        # By its number and not by its name: after a rotation the old file still grows under another name.
        if here is None or not os.path.samestat(here, self._found):
            descriptor, found = self._open()
            os.close(self._descriptor)
            self._descriptor, self._found = descriptor, found


_Stream = _StandardError | _File


class _Handler(logging.StreamHandler[_Stream]):
    """A class of our own, so that a second call of `configure` finds the handler and replaces it."""


def configure(level: str, *, json: bool, file: Path | None = None) -> None:
    """Log everything from this level of `LEVELS` on to standard error, or to a file. Raises `OSError`.

    Lines are JSON if ``json`` is true, readable text on a terminal, else ``key=value``. Other libraries are logged from
    ``warning`` on: our own log has the requests, and theirs would show whole addresses.
    """
    number = getattr(logging, level.upper())
    common: list[Processor] = [
        merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Before the masking, so that secrets in tracebacks are masked, too.
        structlog.processors.format_exc_info,
        _redacted,
    ]
    stream = _StandardError() if file is None else _File(file)
    renderer = _renderer(json=json, stream=stream)
    structlog.configure(
        processors=[*common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream),  # type: ignore[arg-type]
        # `configure` may be called again, and every logger has to follow.
        cache_logger_on_first_use=False,
    )
    _adopt_other_libraries(max(number, logging.WARNING), common, renderer, stream)
    _log_retries()


@contextmanager
def silenced(library: str) -> Iterator[None]:
    """Nothing below ``critical`` is told by this library's logger for as long as the block lasts."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _renderer(*, json: bool, stream: _Stream) -> Processor:
    if json:
        return structlog.processors.JSONRenderer()
    if stream.isatty():
        # Plain tracebacks, because the rich ones show local variables, and so may show keys.
        colors = not os.environ.get("NO_COLOR")
        return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True, bool_as_flag=False)


def _adopt_other_libraries(level: int, common: Iterable[Processor], renderer: Processor, stream: _Stream) -> None:
    handler = _Handler(stream)
    finish: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redacted, renderer]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=finish, foreign_pre_chain=[*common]))
    root = logging.getLogger()
    root.handlers[:] = [*(other for other in root.handlers if not isinstance(other, _Handler)), handler]
    root.setLevel(level)


def _log_retries() -> None:
    # stamina's own hook would log the exception and the arguments of the call.
    from stamina.instrumentation import set_on_retry_hooks
    from stamina.typing import RetryDetails

    def note(details: RetryDetails) -> None:
        cause = type(details.caused_by).__name__
        log = structlog.get_logger("syncer.http")
        log.info("request.again", attempt=details.retry_num + 1, wait_s=round(details.wait_for, 2), cause=cause)

    set_on_retry_hooks([note])


def _redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask secrets in every value. Other objects than plain values are converted to text first."""
    return {key: _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _LARGEST:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {redact(str(key)): _clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(inner) for inner in value]
    return redact(str(value))
