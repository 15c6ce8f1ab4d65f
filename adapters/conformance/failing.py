"""Trials of failure: each ends in the one error that tells the engine what to do, and no error tells a secret."""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Final

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.trial import (
    EMAIL,
    NAME,
    PHONE,
    Trials,
    Trouble,
    answering,
    doubted,
    error_of,
    instead,
    makes_contacts,
    must_raise,
    need,
    reads_of,
    some_tasks,
    somebody,
    the_list,
    trial,
    with_field,
    writes_of,
)
from adapters.sandbox import Call, Fault, Reply, Sandbox, json_reply
from syncer.contract.errors import AdapterError, BadAnswer, BudgetSpent, InDoubt, NotSent, Unauthorized, Unavailable
from syncer.domain.model import Record

READS: Final[dict[Fault, type[AdapterError]]] = {
    Fault.NO_CONNECTION: Unavailable,
    Fault.LOST_REQUEST: Unavailable,
    Fault.LOST_ANSWER: Unavailable,
    Fault.ERROR_BEFORE: Unavailable,
    Fault.ERROR_AFTER: Unavailable,
    Fault.THROTTLED: BudgetSpent,
    Fault.UNAUTHORIZED: Unauthorized,
    Fault.GARBAGE: BadAnswer,
    Fault.TRUNCATED: BadAnswer,
}
WRITES: Final[dict[Fault, type[AdapterError]]] = {
    Fault.NO_CONNECTION: NotSent,
    Fault.LOST_REQUEST: InDoubt,
    Fault.LOST_ANSWER: InDoubt,
    # The client cannot tell it from an error after the work was done.
    Fault.ERROR_BEFORE: InDoubt,
    Fault.ERROR_AFTER: InDoubt,
    Fault.THROTTLED: BudgetSpent,
    Fault.UNAUTHORIZED: Unauthorized,
    Fault.GARBAGE: InDoubt,
    Fault.TRUNCATED: InDoubt,
    # A login page, say: a success that the CRM never saw.
    Fault.GATEWAY_200: InDoubt,
}
_HAPPENED: Final = {Fault.LOST_ANSWER, Fault.ERROR_AFTER, Fault.GARBAGE, Fault.TRUNCATED}
_PASSING: Final = (Fault.NO_CONNECTION, Fault.LOST_ANSWER, Fault.ERROR_BEFORE, Fault.THROTTLED)
# After these it is certain that nothing was carried out, and another try may succeed.
_NEVER_SENT: Final = (Fault.NO_CONNECTION, Fault.THROTTLED)


def _texts(error: BaseException | None) -> Iterator[str]:
    """Yield all texts of an error and of the errors that caused it."""
    while error is not None:
        yield from (str(error), repr(error), *getattr(error, "__notes__", ()))
        if isinstance(error, AdapterError):
            yield error.words
        error = error.__cause__


def _comes_after(bench: Bench, sent: int, call: Call) -> bool:
    """Whether this is a read, and more than these writes were sent before."""
    return len(bench.writes) > sent and not bench.sandbox.is_write(call)


def _open_after(bench: Bench, before: set[str], name: str) -> int:
    """How often this write took effect."""
    return len(bench.open_tasks() - before) if name == "create_task" else len(before - bench.open_tasks())


class FailureTrials(Trials):
    """How a request can fail, and how that is reported."""

    @pytest.mark.parametrize("fault", READS, ids=str)
    @trial
    async def test_a_read_that_fails_says_how(self, bench: Bench, fault: Fault) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        for name, read in reads_of(bench, contact, task).items():
            bench.sandbox.fault = Trouble(fault)
            await must_raise(read(), READS[fault], f"{name}, where every answer is {fault},")

    @pytest.mark.parametrize("fault", _PASSING, ids=str)
    @trial
    async def test_a_read_is_repeated_where_that_helps(self, bench: Bench, fault: Fault) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        for name, read in reads_of(bench, contact, task).items():
            bench.sandbox.fault = Trouble(fault, times=1)
            need(await error_of(read()) is None, f"{name} must get over one {fault}")

    @pytest.mark.parametrize("fault", WRITES, ids=str)
    @trial
    async def test_a_write_that_fails_says_whether_it_may_have_happened(self, bench: Bench, fault: Fault) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        # The completion first, while its task is open and the newest one: the create may close it.
        for name, write in reversed(writes_of(bench, contact, task).items()):
            before = bench.open_tasks()
            bench.sandbox.fault = Trouble(fault, bench.sandbox.is_write)
            await doubted(bench, name, write, WRITES[fault], f"{name}, where every answer is {fault},")
            times = _open_after(bench, before, name)
            need(times == (fault in _HAPPENED), f"{name} took effect {times} times where the answer is {fault}")

    @pytest.mark.parametrize("fault", READS, ids=str)
    @trial
    async def test_what_cannot_be_read_after_a_write_leaves_it_in_doubt(self, bench: Bench, fault: Fault) -> None:
        """Some CRMs answer a write with nothing. If the read after it fails, the write was sent all the same."""
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        for name, write in reversed(writes_of(bench, contact, task).items()):
            sent = len(bench.writes)
            bench.sandbox.fault = Trouble(fault, partial(_comes_after, bench, sent))
            await doubted(bench, name, write, InDoubt, f"{name}, where every read after the write is {fault},")

    @trial
    async def test_a_write_in_doubt_is_never_repeated(self, bench: Bench) -> None:
        """The second request would close another task, or make a second one."""
        contact = somebody(bench)
        for fault in sorted(WRITES.keys() - {Fault.NO_CONNECTION, Fault.THROTTLED}):
            tasks = some_tasks(bench, contact)
            for name, write in reversed(writes_of(bench, contact, tasks[-1]).items()):
                sent = len(bench.writes)
                bench.sandbox.fault = Trouble(fault, bench.sandbox.is_write, times=1)
                await error_of(write())
                need(len(bench.writes) == sent + 1, f"{name} was sent again after {fault}")

    @pytest.mark.parametrize("fault", _NEVER_SENT, ids=str)
    @trial
    async def test_a_write_that_was_not_carried_out_is_repeated_once(self, bench: Bench, fault: Fault) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        for name, write in reversed(writes_of(bench, contact, task).items()):
            before = bench.open_tasks()
            bench.sandbox.fault = Trouble(fault, bench.sandbox.is_write, times=1)
            need(await error_of(write()) is None, f"{name} must get over one {fault}")
            need(_open_after(bench, before, name) == 1, f"{name} must take effect once after one {fault}")

    @trial
    async def test_too_many_requests_are_waited_out(self, bench: Bench) -> None:
        contact = somebody(bench)
        bench.sandbox.fault = Trouble(Fault.THROTTLED, times=1)
        before = self.now()
        await bench.adapter.list_contact_tasks(contact)
        waited = (self.now() - before).total_seconds()
        need(waited > 0, "a 429 asks us to wait, and the adapter asked again at once")
        words = (
            f"a 429 asks us to wait {bench.throttled_for} s, and the adapter waited {waited} s: which header says so?"
        )
        need(waited >= bench.throttled_for, words)

    @trial
    async def test_no_wait_outlasts_the_deadline(self, bench: Bench) -> None:
        contact = somebody(bench)
        bench.adapter.wire.set_deadline(1.0)
        bench.sandbox.fault = Trouble(Fault.THROTTLED)
        before = self.now()
        work = bench.adapter.list_contact_tasks(contact)
        await must_raise(work, BudgetSpent, "a list that is throttled beyond the deadline")
        need((self.now() - before).total_seconds() <= 1.0, "the adapter waited beyond the deadline that it was given")

    @pytest.mark.parametrize("fault", READS, ids=str)
    @trial
    async def test_check_reports_failures_and_raises_none(self, bench: Bench, fault: Fault) -> None:
        bench.sandbox.fault = Trouble(fault)
        # People run `syncer check` because something is wrong, so this is when it must not end with an error.
        bad = [check for check in await bench.adapter.check() if check.ok is False]
        need(bad, f"every answer is {fault}, and check says that all is well")
        need(all(check.advice for check in bad), f"check must say what to do about {fault}")

    @pytest.mark.parametrize("fault", WRITES, ids=str)
    @trial
    async def test_a_contact_is_never_made_twice(self, bench: Bench, fault: Fault) -> None:
        """Whatever happens to its answer, the request that creates a contact is not sent again."""
        makes_contacts(bench)
        bench.sandbox.fault = Trouble(fault, bench.sandbox.is_write, times=1)
        wanted = Record("elsewhere", "x", NAME, (PHONE,), (EMAIL,))
        error = await error_of(bench.adapter.create_contact(wanted))
        sent = len(bench.writes)
        # What was answered with 429 was not carried out, so it may be sent again.
        most = 2 if fault is Fault.THROTTLED else 1
        need(sent <= most, f"the request that creates a contact was sent {sent} times after {fault}")
        need(error is None or isinstance(error, WRITES[fault]), f"creating a contact under {fault} gave {error!r}")

    @trial
    async def test_no_error_tells_a_secret(self, bench: Bench) -> None:
        """A CRM, or a proxy in front of it, may repeat in its answer what it was sent."""
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        for answer in _indiscreet(bench.sandbox, bench.secrets):
            with answering(bench.sandbox, instead(answer)):
                for name, work in {**reads_of(bench, contact, task), **writes_of(bench, contact, task)}.items():
                    await _keeps_secrets(bench, work, f"{name}, answered with status {answer.status}")

    @trial
    async def test_no_unreadable_row_tells_a_secret(self, bench: Bench) -> None:
        contact = somebody(bench)
        some_tasks(bench, contact)
        for secret in bench.secrets:
            with answering(bench.sandbox, with_field(bench.state_field, secret, once=True)):
                listing = await the_list(bench, contact)
            told = [row for row in listing.unreadable if secret in f"{row.detail} {row.received}"]
            need(not told, f"an unreadable row tells a secret: {[row.detail for row in told]}")

    @trial
    async def test_the_key_travels_in_a_header(self, bench: Bench) -> None:
        """An address is written into the logs of every server on the way."""
        if bench.key_in_address:
            pytest.skip("this CRM takes its key in the address alone")
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        for work in {**reads_of(bench, contact, task), **writes_of(bench, contact, task)}.values():
            await work()
        need(not [call for call in bench.calls if _in_address(call, bench.secrets)], "a secret is in an address")


def _written(secret: str) -> tuple[str, ...]:
    """A secret in the notations in which an answer may repeat it."""
    content = secret.encode()
    return (secret, b64encode(content).decode(), content.hex(), "".join(f"%{byte:02X}" for byte in content))


def _indiscreet(sandbox: Sandbox, secrets: Iterable[str]) -> Iterator[Reply]:
    for secret in itertools.chain.from_iterable(map(_written, secrets)):
        # Each status takes another way through the client: parsed, refused, unauthorized, missing.
        for status in (200, 400, 401, 404):
            yield json_reply(status, {"message": f"you sent {secret}", "detail": secret, "errors": [secret]})
        # In the CRM's own form, which the adapter believes.
        for status in (400, 401, 404):
            yield sandbox.refused(status, f"you sent {secret}")
        for status in (200, 500):
            yield Reply(status, f"<html>{secret}</html>".encode(), {"content-type": "text/html"})


async def _keeps_secrets(bench: Bench, work: Callable[[], Awaitable[object]], what: str) -> None:
    __tracebackhide__ = True
    error = await error_of(work())
    forms = [form for secret in bench.secrets for form in _written(secret)]
    told = any(form in text for text in _texts(error) for form in forms)
    need(not told, f"{what}: the error tells a secret ({type(error).__name__})")


def _in_address(call: Call, secrets: Iterable[str]) -> bool:
    address = f"{call.path} {' '.join(call.query.values())}"
    return any(secret in address for secret in secrets)
