"""No text takes more than linear time: every function that meets a CRM's text is held against long hostile ones.

In a process of its own, whose processor time is limited by the system: what is quadratic needs minutes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from adapters.highlevel.mapping import task_body, task_reading
from adapters.highlevel.settings import KindRule, compile_expression
from adapters.highlevel.wire import WireTask
from adapters.reply.mapping import read_text, write_text
from adapters.superfone.mapping import create_body, read_task
from adapters.superfone.wire import WireTask as SuperfoneTask
from syncer.domain.model import Kind
from tests.support import highlevel_kit, superfone_kit

SIZE: Final = 125_000
SECONDS: Final = 10
PIECES: Final = (
    "<",
    "<!--",
    "&",
    "&#9",
    "<style>",
    "<a '",
    '<a "<a" ',
    "<p x='>",
    "</p>",
    "<br>\n",
    "\x1b[0",
    "\x9d",
    "{{",
    "\nsyncer:",
    "<a>",
    " ",
    "\n",
    "\r",
)
MARKED: Final = highlevel_kit.MARKER.line


def of_highlevel(text: str) -> None:
    task = WireTask.model_validate(highlevel_kit.TASK | {"title": text, "body": text})
    task_reading(task, kind=Kind.TODO, contact=None, whole=True)
    task_body(highlevel_kit.draft("C1", title=text, body=text))


def of_superfone(text: str) -> None:
    read_task(SuperfoneTask.model_validate(superfone_kit.ROW | {"title": text}), "12345")
    create_body(superfone_kit.draft(1, title=text, body=text), "BOOKING")


def of_reply(text: str) -> None:
    read_text(text)
    read_text(f"{text}\n{MARKED}")
    write_text(text, text, MARKED, label="Call")


def of_rules(text: str) -> None:
    rules = [r"^(x|x|xx)*$", r"(.*)*y", r"(\s+)+$", r"(a+)+b", r"(<[^>]*>)*!"]
    made = tuple(KindRule(match=compile_expression(rule), kind=Kind.CALLBACK) for rule in rules)
    highlevel_kit.settings(kind_rules=made).kind_of(text)


FUNCTIONS: Final[dict[str, Callable[[str], None]]] = {
    function.__name__: function for function in (of_highlevel, of_superfone, of_reply, of_rules)
}


def hostile() -> Iterator[str]:
    """Repetitions that never end as they begin, behind what makes HTML of them."""
    for piece in PIECES:
        yield f"<p>a</p>{piece * (SIZE // len(piece))}"


@pytest.fixture(scope="module")
def limited() -> Iterator[subprocess.Popen[str]]:
    """A process that tries the function that each line names, and says how that ended."""
    command = [sys.executable, "-W", "error", "-m", "tests.adapters.test_linear_time"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        yield process


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_text_takes_more_than_linear_time(limited: subprocess.Popen[str], name: str) -> None:
    assert limited.stdin is not None
    assert limited.stdout is not None
    print(name, file=limited.stdin, flush=True)
    assert limited.stdout.readline() == "0\n"


def try_it(name: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    for text in hostile():
        FUNCTIONS[name](text)


def serve() -> None:
    """Try each function in a fork, whose processor time begins at zero: to import everything takes a second."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                try_it(line.strip())
                status = 0
            except BaseException:  # noqa: BLE001 - the interpreter's own last resort, which a fork does not reach
                traceback.print_exc()
            os._exit(status)
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)


if __name__ == "__main__":
    serve()
