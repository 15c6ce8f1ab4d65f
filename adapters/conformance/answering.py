"""Trials of answers that are not about what was asked. Nothing may be concluded from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.trial import (
    EMAIL,
    NAME,
    PHONE,
    UNKNOWN,
    Reads,
    Trials,
    Trouble,
    answering,
    doubted,
    error_of,
    instead,
    must_raise,
    need,
    reads_of,
    ref,
    refusing,
    some_tasks,
    somebody,
    the_list,
    trial,
    writes_of,
)
from adapters.sandbox import Call, Fault, Reply
from syncer.contract.errors import AdapterError, BadAnswer, InDoubt, Missing, Refused, Unauthorized, Unavailable
from syncer.domain.model import Record

_SHAPES: Final = (b"", b"{}", b"[]", b"null", b"17", b'"ok"')
_REFUSALS: Final = (400, 404, 409, 422)
_PAGES: Final = (302, 400, 401, 403, 404, 422, 502)
# It has the words that mean a missing item. Only its form tells that it is not the CRM's answer.
_PAGE: Final = b"<html><body>404 Not Found: lead not found, task not found, contact not found</body></html>"
_MOST_CALLS: Final = 60
_WHOLE: Final = ("list_tasks", "list_contacts", "identity")


def _keep(kept: list[Reply], _call: Call, reply: Reply) -> None:
    kept.append(reply)


async def _is_bare(bench: Bench, read: Callable[[], Awaitable[object]]) -> bool:
    """Whether the CRM answers this with a bare array, and not with an object that contains one."""
    kept: list[Reply] = []
    bench.sandbox.after = partial(_keep, kept)
    await read()
    bench.sandbox.after = lambda _call, _reply: None
    return bool(kept) and kept[-1].body.lstrip()[:1] == b"["


class AnswerTrials(Trials):
    """Empty answers, refusals, answers about something else."""

    @trial
    async def test_an_answer_without_content_is_no_answer(self, bench: Bench) -> None:
        """An answer that shows nothing does not mean that there is nothing."""
        contact = somebody(bench)
        reads = reads_of(bench, contact, some_tasks(bench, contact)[0])
        bare = [name for name, read in reads.items() if await _is_bare(bench, read)]
        for shape in _SHAPES:
            answer = Reply(200, shape, {"content-type": "application/json"})
            with refusing(bench.sandbox, answer):
                # Where lists are bare arrays, an empty one is an empty list.
                told = bare if shape == b"[]" else []
                for name in [name for name in reads if not name.startswith("find_contacts") and name not in told]:
                    await must_raise(reads[name](), BadAnswer, f"{name}, answered with {shape!r},")
            with answering(bench.sandbox, instead(answer), bench.sandbox.is_write):
                task = some_tasks(bench, contact, 1)[0]
                for name, write in reversed(writes_of(bench, contact, task).items()):
                    await doubted(bench, name, write, InDoubt, f"{name}, answered with {shape!r},")

    @pytest.mark.parametrize("status", _REFUSALS)
    @trial
    async def test_a_read_that_is_refused_gives_nothing(self, bench: Bench, status: int) -> None:
        """Only single items can be missing. A refused list, or a refused account, is an error."""
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        reads = {**reads_of(bench, contact, task), "identity": bench.adapter.identity}
        with refusing(bench.sandbox, bench.sandbox.refused(status, "no such page")):
            for name, read in reads.items():
                sent = len(bench.calls)
                error = await error_of(read())
                what = f"{name}, answered with status {status},"
                if name in _WHOLE:
                    # Taken for a missing item, it would end all tasks, or all contacts, of the account.
                    expected = BadAnswer | Refused | Unavailable | Unauthorized
                    fine = isinstance(error, expected) or len(bench.calls) == sent
                    need(fine, f"{what} must raise BadAnswer or Refused, and gave {error!r}")
                elif name.startswith("find_contacts"):
                    need(not isinstance(error, Missing), f"{what} must not raise Missing: nothing by id was asked for")
                else:
                    need(isinstance(error, AdapterError), f"{what} must raise an error, and answered")

    @pytest.mark.parametrize("status", _REFUSALS)
    @trial
    async def test_a_write_that_is_refused_is_refused(self, bench: Bench, status: int) -> None:
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        refusal = bench.sandbox.refused(status, "no such page")
        writes: Reads = dict(writes_of(bench, contact, task))
        wanted = Record("elsewhere", "x", NAME, ("+919876500000",), ("ravi@example.com",))
        creates = ["create_task"]
        if bench.adapter.capabilities.creates_contacts:
            writes["create_contact"] = lambda: bench.adapter.create_contact(wanted)
            creates.append("create_contact")
        with refusing(bench.sandbox, refusal, bench.sandbox.is_write):
            for name in creates:
                await must_raise(writes[name](), Refused, f"{name}, answered by the sandbox's `refused({status}, …)`,")
            error = await error_of(writes["complete_task"]())
            fine = isinstance(error, Refused | Missing)
            what = f"complete_task, answered by the sandbox's `refused({status}, …)`,"
            need(fine, f"{what} must be refused, and gave {error!r}")

    @pytest.mark.parametrize("status", _PAGES)
    @trial
    async def test_a_gateways_page_says_nothing(self, bench: Bench, status: int) -> None:
        """A gateway may answer instead of the CRM. Then no contact is missing and no API key is wrong."""
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        page = Reply(status, _PAGE, {"content-type": "text/html"})
        with refusing(bench.sandbox, page):
            for name, read in reads_of(bench, contact, task).items():
                await must_raise(read(), Unavailable, f"{name}, answered with a gateway's page and status {status},")
        with refusing(bench.sandbox, page, bench.sandbox.is_write):
            for name, write in writes_of(bench, contact, task).items():
                sent = len(bench.writes)
                await must_raise(write(), InDoubt, f"{name}, answered with a gateway's page and status {status},")
                need(len(bench.writes) == sent + 1, f"{name} was sent again after a gateway's page")

    @trial
    async def test_a_mark_before_an_answer_is_no_part_of_it(self, bench: Bench) -> None:
        """Some servers begin their texts with a byte order mark."""
        contact = somebody(bench)
        task = some_tasks(bench, contact)[0]
        with answering(bench.sandbox, lambda reply: replace(reply, body=b"\xef\xbb\xbf" + reply.body)):
            for name, read in reads_of(bench, contact, task).items():
                error = await error_of(read())
                need(error is None, f"{name} must read an answer with a byte order mark, and gave {error!r}")

    @trial
    async def test_the_answer_about_another_task_is_not_believed(self, bench: Bench) -> None:
        """A proxy may mix up answers. What the answer says of another task must not close this one."""
        if not bench.adapter.capabilities.gets_task:
            pytest.skip("there is no reading of one task")
        contact = somebody(bench)
        task, other = some_tasks(bench, contact, 2)
        bench.complete(other)
        kept: list[Reply] = []
        bench.sandbox.after = partial(_keep, kept)
        await bench.adapter.get_task(ref(bench, other, contact))
        with refusing(bench.sandbox, kept[-1]):
            reading = bench.adapter.get_task(ref(bench, task, contact))
            await must_raise(reading, BadAnswer, "reading one task, answered with another one,")

    @trial
    async def test_a_list_that_goes_round_comes_to_an_end(self, bench: Bench) -> None:
        """A CRM may return its first page again and again. A run must end all the same."""
        contact = somebody(bench)
        some_tasks(bench, contact, 2 * bench.page + 1)
        first: list[Reply] = []

        def again(reply: Reply) -> Reply:
            first.append(reply)
            return first[0]

        # Ends an adapter that would go on for ever.
        bench.sandbox.fault = Trouble(Fault.UNAUTHORIZED, spared=_MOST_CALLS)
        with answering(bench.sandbox, again):
            await error_of(the_list(bench, contact))
        need(len(bench.calls) < _MOST_CALLS, "the list was asked for its first page again and again")

    @trial
    async def test_a_contact_that_is_there_is_no_answer_about_another(self, bench: Bench) -> None:
        """A look-up whose answer is about somebody else would join two strangers."""
        somebody(bench)
        for name, key in (("email", EMAIL), ("phone", PHONE)):
            if name not in bench.adapter.capabilities.contact_keys:
                continue
            kept: list[Reply] = []
            bench.sandbox.after = partial(_keep, kept)
            await bench.adapter.find_contacts(key)
            unknown = UNKNOWN[name]
            with refusing(bench.sandbox, kept[-1]):
                error = await error_of(bench.adapter.find_contacts(unknown))
                found = () if error else await bench.adapter.find_contacts(unknown)
            need(not found, f"asked for another {name}, the adapter believed an answer about {found}")
