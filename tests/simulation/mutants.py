"""Planted faults: small changes of the engine that break a law, each of which the simulation must notice.

A mutant is a change of a module's text, planted in the functions of a process of its own:
``python -m tests.simulation.mutants "a lost answer is repeated"`` plays seeds until one breaks its law. Without a
name it reads names from standard input.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

from tests.simulation.__main__ import prepare
from tests.simulation.disk import ledger_file
from tests.simulation.history import make_history
from tests.simulation.play import play

END = "the hunt ended: "
WITHIN = 60
"""The stated number of seeds, counted from `FIRST`."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """``old`` stands once in the module and becomes ``new``, which breaks the law ``breaks``.

    ``without`` takes the other net away that would hide the fault.
    """

    name: str
    breaks: str
    module: str
    old: str
    new: str
    without: str = ""
    also: tuple[tuple[str, str], ...] = ()


MUTANTS = (
    Mutant(
        "a lost answer is repeated",
        "L2",
        "adapters.http",
        "again_after=(NotSent,), attempts",
        "again_after=(NotSent, InDoubt), attempts",
    ),
    Mutant(
        "supersession is taken for completion",
        "L3",
        "syncer.superseded",
        "return abs(closed.updated_at - newer.created_at) <= window and len(actors) < 2",
        "return False",
    ),
    Mutant(
        "the marker is not searched",
        "L2",
        "syncer.settle",
        "elif reading.marker == operation.task:",
        "elif reading.marker == operation.id:",
        without="markers",
    ),
    Mutant(
        "nothing found at once proves that nothing was done",
        "L2",
        "syncer.settle",
        "return context.clock() - operation.sent_at < context.policy.doubt_grace",
        "return False",
        without="markers",
    ),
    Mutant(
        "the base is stored before the answer",
        "L4",
        "syncer.requests",
        "        try:\n            reading = await connection.adapter.complete_task(ref)\n",
        "        replica = self._context.base.replicas[operation.system, operation.remote_id or '']\n"
        "        replica = replace(replica, state=type(replica.state).DONE)\n"
        "        self._context.record(Changes(replicas={replica.key: replica}))\n"
        "        try:\n            reading = await connection.adapter.complete_task(ref)\n",
    ),
    Mutant(
        "what a list does not show is done",
        "L3",
        "syncer.observe",
        "    refs = [TaskRef(replica.system, replica.remote_id, replica.contact) for replica in vanished]\n"
        "    await for_each(refs, lambda ref: _read_one(connection, ref))\n",
        "    for replica in vanished:\n"
        "        connection.seen.readings[replica.remote_id] = Reading(\n"
        "            replica.system, replica.remote_id, replica.contact, State.DONE, "
        "context.base.tasks[replica.task].kind, '')\n",
    ),
    Mutant(
        "a list that breaks off counts as whole",
        "L2",
        "syncer.observe",
        "    if listing is None:\n        return\n    seen = connection.seen\n",
        "    if listing is None:\n        from syncer.model import Listing\n        listing = Listing(())\n"
        "        connection.seen.state = type(connection.seen.state).OK\n    seen = connection.seen\n",
        also=(("    if not connection.usable:\n        return\n    listing = await", "    listing = await"),),
    ),
    Mutant(
        "whatever a completion closed was meant",
        "L6",
        "syncer.requests",
        "if reading.remote_id == operation.remote_id and reading.state is not State.OPEN:",
        "if reading.state is not State.OPEN:",
    ),
    Mutant(
        "the lane's top is not looked at",
        "L3",
        "syncer.lane",
        "    while stack and stack[0].close and stack[0].task:\n"
        "        steps.append(CompleteTop(stack[0].remote_id, stack[0].task))\n"
        "        del stack[0]\n",
        "    for task in [task for task in stack if task.close and task.task]:\n"
        "        steps.append(CompleteTop(task.remote_id, task.task or ''))\n"
        "        stack.remove(task)\n",
    ),
    Mutant(
        "the lease is ignored",
        "lease",
        "syncer.ledger.lease",
        "    raise Busy(holder, held.expires_at)\n",
        "    return\n",
        also=((".rowcount != 1:\n        raise LeaseLost", ".rowcount != 1:\n        return"),),
    ),
    Mutant(
        "who has slept does not ask for its lease",
        "lease",
        "adapters.http",
        "                    self._fence()\n",
        "                    pass\n",
    ),
    Mutant(
        "a 404 closes the others",
        "L3",
        "syncer.merge",
        "        misses = replica.misses + 1\n",
        "        misses = replica.misses + 1\n"
        "        self._conclude(self._work.base.tasks[replica.task], State.DONE)\n",
    ),
    Mutant(
        "a twin may be another person's",
        "L3",
        "syncer.firstsight",
        "by_contact[task.contact].append(task)",
        "by_contact[''].append(task)",
        also=(('by_contact[self._work.contact_of(reading) or ""]', 'by_contact[""]'),),
    ),
    Mutant(
        "theirs may be replaced", "L5", "syncer.lane", "return task.ours and (", "return bool(task.remote_id) and ("
    ),
    Mutant(
        "a race is not reported",
        "L6",
        "syncer.merging",
        "        self.incidents.append(Item(task.id, reading.system, Reason.CLOSED_BY_RACE, detail))\n",
        "",
    ),
    Mutant(
        "a race is not mended",
        "L6",
        "syncer.merging",
        "self.put_task(replace(task, put_back=True))",
        "self.put_task(task)",
    ),
    Mutant(
        "what is put back counts as ours",
        "L5",
        "syncer.settle",
        "contact=contact, ours=not put_back)",
        "contact=contact, ours=True)",
    ),
    Mutant(
        "a task reopened is still the old one",
        "L8",
        "syncer.merge",
        "        same = task.state is State.OPEN or replica.state is ReplicaState.GONE\n",
        "        same = task.state is State.OPEN or replica.state is ReplicaState.GONE\n"
        "        if not same:\n            return\n",
    ),
    Mutant(
        "what is kept when cancelled is closed",
        "L3",
        "syncer.merge",
        "task.state is State.OPEN and self._work.inputs.policy.cancelled_closes:",
        "task.state is State.OPEN:",
    ),
    Mutant(
        "a create takes what is there for absent while the search lags",
        "L2",
        "syncer.apply",
        "        if connection.adapter.capabilities.listing_lags:\n",
        "        if connection.adapter.capabilities.listing_lags and connection.spent:\n",
    ),
    Mutant(
        "a completion is forgotten once it failed",
        "L7",
        "syncer.plan",
        "        return not waits\n",
        "        return False\n",
    ),
    Mutant(
        "a crash leaves nothing in doubt",
        "L6",
        "syncer.settle",
        "    doubtful = [op for op in context.base.operations.values() if op.state in UNSETTLED]\n",
        "    for op in context.base.operations.values():\n"
        "        if op.state is OpState.SENT:\n"
        "            context.record(Changes(operations={op.id: replace(op, state=OpState.FAILED)}))\n"
        "            break\n"
        "    doubtful = [op for op in context.base.operations.values() if op.state in UNSETTLED]\n",
        without="twins",
    ),
    Mutant(
        "history is done anew",
        "L1",
        "syncer.firstsight",
        "            if reading.state is not State.OPEN or reading.key in self._work.base.replicas:\n",
        "            if reading.state is State.CANCELLED or reading.key in self._work.base.replicas:\n",
    ),
    Mutant(
        "the marker is copied into Superfone",
        "copy",
        "adapters.superfone.wire",
        "for part in (draft.title, text)",
        "for part in (draft.title, text, draft.marker)",
    ),
    Mutant(
        "a slot that is held is given away",
        "slot",
        "syncer.lane",
        "earlier = replace_later and task.due",
        "earlier = task.due",
    ),
    Mutant("what is gone is made again", "L9", "syncer.plan", "if ReplicaState.GONE in states:", "if None in states:"),
    Mutant(
        "what is done elsewhere keeps the slot",
        "L7",
        "syncer.lane",
        "    if task.close:\n        return True\n",
        "    if task.close:\n        return False\n",
    ),
    Mutant(
        "a completion wipes the text",
        "L6",
        "adapters.highlevel.adapter",
        'f"{_task_of(ref)}/completed", json={"completed": True}',
        '_task_of(ref), json={"completed": True, "body": ""}',
    ),
    Mutant(
        "a contact that may still arrive is asked for again",
        "contact",
        "syncer.state",
        "any(asked is not None and within(",
        "any(asked is not None and now is None and within(",
    ),
)


FIRST = {
    "a lost answer is repeated": 9,
    "the marker is not searched": 9,
    "nothing found at once proves that nothing was done": 9,
    "the base is stored before the answer": 12,
    "a list that breaks off counts as whole": 93,
    "whatever a completion closed was meant": 5,
    "who has slept does not ask for its lease": 50,
    "a 404 closes the others": 7,
    "a race is not reported": 5,
    "a race is not mended": 67,
    "what is put back counts as ours": 33,
    "what is kept when cancelled is closed": 20,
    "a completion is forgotten once it failed": 17,
    "a crash leaves nothing in doubt": 17,
    "a slot that is held is given away": 40,
    "a contact that may still arrive is asked for again": 6140,
}
"""Where the seeds begin, to save time: at the one that is known to catch the mutant."""


def plant(mutant: Mutant) -> None:
    """Change the functions of its module where they are: to import the engine anew takes longer than most hunts."""
    path = Path(str(importlib.import_module(mutant.module).__file__))
    sound = path.read_text("utf-8")
    text = sound
    for old, new in ((mutant.old, mutant.new), *mutant.also):
        if text.count(old) != 1:
            msg = f"{mutant.name}: its place is not in {mutant.module} any more"
            raise LookupError(msg)
        text = text.replace(old, new)
    before, after = (compile(version, path, "exec", dont_inherit=True) for version in (sound, text))
    if before.co_code != after.co_code:
        msg = f"{mutant.name}: it is in no function of {mutant.module}"
        raise LookupError(msg)
    changed = {code.co_qualname: code for code in _codes(after)}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == str(path):
            thing.__code__ = changed[thing.__code__.co_qualname]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


def hunt(name: str) -> int:
    """Play until the mutant is caught: 0 if it was, 1 if no seed caught it."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    plant(mutant)
    first = FIRST.get(name, 0)
    for seed in range(first, first + WITHIN):
        violation = play(make_history(seed, without=mutant.without))
        if violation is not None:
            print(f"seed {seed}: {str(violation).splitlines()[0]}")
            if violation.law == mutant.breaks:
                return 0
    print(f"no break of {mutant.breaks} was noticed within {WITHIN} seeds")
    return 1


def serve() -> None:
    """Hunt for the mutant that each line of standard input names, in a fork of a process that is warm."""
    play(make_history(0))
    # No connection may pass from a process to its child.
    ledger_file().database.dispose()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = hunt(line.strip())
            except BaseException:  # noqa: BLE001 - the interpreter's own last resort, which a fork does not reach
                traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(status)
        _, ended = os.waitpid(child, 0)
        print(f"{END}{os.waitstatus_to_exitcode(ended)}", flush=True)


if __name__ == "__main__":
    prepare()
    if sys.argv[1:]:
        sys.exit(hunt(sys.argv[1]))
    serve()
