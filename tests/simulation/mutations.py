"""The planted faults. Each breaks a law, and random histories notice every one."""

from __future__ import annotations

from tests.simulation.mutations_edits import EDIT_MUTANTS
from tests.simulation.mutations_people import PEOPLE_MUTANTS
from tests.simulation.mutations_slow import SLOW_MUTANTS
from tests.simulation.planting import Mutant

MUTANTS = (
    *EDIT_MUTANTS,
    *PEOPLE_MUTANTS,
    *SLOW_MUTANTS,
    Mutant(
        "a lost answer is repeated",
        "L2",
        "adapters.http.client",
        "again_after=(NotSent,), attempts",
        "again_after=(NotSent, InDoubt), attempts",
        having=("lost_answers", "late_contacts"),
    ),
    Mutant(
        "supersession is taken for completion",
        "L3",
        "syncer.reconcile.closures",
        "return abs(closed.updated_at - newer.created_at) <= window and len(actors) < 2",
        "return False",
    ),
    Mutant(
        "the marker is not searched",
        "L2",
        "syncer.engine.settle_create",
        "marker.task == operation.task",
        "marker.task == operation.id",
        without="markers",
        having=("late_writes",),
    ),
    Mutant(
        "nothing found at once proves that nothing was done",
        "L2",
        "syncer.engine.doubts",
        "return now - sent_at < context.policy.doubt_grace",
        "return False",
        without="markers",
        having=("late_writes",),
    ),
    Mutant(
        "the base is stored before the answer",
        "L4",
        "syncer.engine.writes",
        "        try:\n            reading = await connection.adapter.complete_task(ref)\n",
        "        replica = self._context.base.replicas[operation.system, operation.remote_id or '']\n"
        "        replica = replace(replica, state=type(replica.state).DONE)\n"
        "        self._context.record(Changes(replicas={replica.key: replica}))\n"
        "        try:\n            reading = await connection.adapter.complete_task(ref)\n",
        having=("errors", "completions", "pairs", "late_writes"),
    ),
    Mutant(
        "what a list does not show is done",
        "L3",
        "syncer.engine.observe",
        "        await self._by_need(connection, TASKS | CONTACTS)\n",
        "        from syncer.domain.model import Reading, State\n"
        "        from syncer.reconcile.read_items import Need\n"
        "        for item in await self._items(connection, TASKS):\n"
        "            if item.what is What.TASK and item.need is Need.COMPLETION:\n"
        "                task = self.context.base.replicas[item.system, item.key].task\n"
        "                connection.seen.readings[item.key] = Reading(item.system, item.key, item.contact, "
        "State.DONE, self.context.base.tasks[task].kind, '')\n"
        "        await self._by_need(connection, CONTACTS)\n",
        having=("deletions",),
    ),
    Mutant(
        "whatever a completion closed was meant",
        "L6",
        "syncer.engine.writes",
        "if reading.remote_id == operation.remote_id and reading.state is not State.OPEN:",
        "if reading.state is not State.OPEN:",
        having=("rushes", "one_person"),
    ),
    Mutant(
        "the lane's top is not looked at",
        "L3",
        "syncer.reconcile.lane",
        "    while stack and stack[0].close and stack[0].task:\n"
        "        steps.append(CompleteTop(stack[0].remote_id, stack[0].task))\n"
        "        del stack[0]\n",
        "    for task in [task for task in stack if task.close and task.task]:\n"
        "        steps.append(CompleteTop(task.remote_id, task.task or ''))\n"
        "        stack.remove(task)\n",
        having=("completions",),
    ),
    Mutant(
        "the lease is ignored",
        "lease",
        "syncer.ledger.lease",
        "        if not judge.has_lost(held, owner, now):\n",
        "        if False:\n",
        also=(
            (") != 1:\n        raise LeaseLost", ") != 1:\n        return"),
            ("_HOLDER) != token:\n        raise LeaseLost", "_HOLDER) != token:\n        return"),
            ("_CHECK) != token:\n        raise LeaseLost", "_CHECK) != token:\n        return"),
        ),
        having=("sleeps", "pairs"),
    ),
    Mutant(
        "who has slept does not ask for its lease",
        "lease",
        "adapters.http.client",
        "                effort.fence()\n",
        "                pass\n",
        having=("sleeps", "one_person"),
    ),
    Mutant(
        "a 404 closes the others",
        "L3",
        "syncer.reconcile.endings",
        "        gone = misses >= MISSES_UNTIL_GONE and replica.misses > 0\n",
        "        gone = misses >= MISSES_UNTIL_GONE and replica.misses > 0\n"
        "        self._conclude(self._work.base.tasks[replica.task], State.DONE)\n",
        having=("deletions",),
    ),
    Mutant(
        "theirs may be replaced",
        "L5",
        "syncer.reconcile.lane",
        "return task.ours and (",
        "return bool(task.remote_id) and (",
        having=("one_person",),
    ),
    Mutant(
        "a race is not reported",
        "L6",
        "syncer.reconcile.merging",
        "        self.incidents.append(Item(task.id, reading.system, Reason.CLOSED_BY_RACE, detail))\n",
        "",
        having=("rushes", "one_person"),
    ),
    Mutant(
        "a race is not mended",
        "L6",
        "syncer.reconcile.merging",
        "self.put_task(replace(task, put_back=True))",
        "self.put_task(task)",
        having=("rushes", "one_person"),
    ),
    Mutant(
        "what is put back counts as ours",
        "L5",
        "syncer.engine.outcomes",
        "contact=contact, ours=not put_back)",
        "contact=contact, ours=True)",
        having=("rushes",),
    ),
    Mutant(
        "a task reopened is still the old one",
        "L8",
        "syncer.reconcile.merge",
        "        same = task.state is State.OPEN or (gone and not ended_by_deleting)\n",
        "        same = task.state is State.OPEN or gone\n        if not same:\n            return\n",
        having=("recurring",),
    ),
    Mutant(
        "what is kept when cancelled is closed",
        "L3",
        "syncer.reconcile.endings",
        "task.state is State.OPEN and self._work.inputs.policy.cancelled_closes:",
        "task.state is State.OPEN:",
        having=("cancellations",),
    ),
    Mutant(
        "a create takes what is there for absent while the search lags",
        "L2",
        "syncer.engine.apply",
        "(capabilities.listing_lags or unlisted) and not connection.was_just_listed(contact):\n",
        "(capabilities.listing_lags or unlisted) and connection.spent:\n",
    ),
    Mutant(
        "a completion is forgotten once it failed",
        "L4",
        "syncer.reconcile.obstacles",
        "        return Tried(not waits, Obstacle(Reason.RETRY_LATER",
        "        return Tried(False, Obstacle(Reason.RETRY_LATER",
        having=("failed_completions",),
    ),
    Mutant(
        "history is done anew",
        "L1",
        "syncer.reconcile.unmatched",
        "            if reading.state is not State.OPEN or reading.key in self._work.base.replicas:\n",
        "            if reading.state is State.CANCELLED or reading.key in self._work.base.replicas:\n",
    ),
    Mutant(
        "the marker is copied into Superfone",
        "copy",
        "adapters.superfone.mapping",
        "for part in (draft.title, text)",
        "for part in (draft.title, text, draft.marker.line)",
    ),
    Mutant(
        "a slot that is held is given away",
        "slot",
        "syncer.reconcile.lane",
        "earlier = replace_later and task.due",
        "earlier = task.due",
        having=("one_person", "held", "late_writes"),
    ),
    Mutant(
        "what is gone is made again",
        "L9",
        "syncer.reconcile.obstacles",
        "        if gone is not None:\n",
        "        if gone is not None and not replicas:\n",
        having=("deletions",),
    ),
    Mutant(
        "what is done elsewhere keeps the slot",
        "L7",
        "syncer.reconcile.lane",
        "    if task.close or task.remote_id == wish.replaces:\n        return True\n",
        "    if task.close:\n        return False\n",
        without="markers",
        having=("same_due",),
    ),
    Mutant(
        "a completion wipes the text",
        "L6",
        "adapters.highlevel.adapter",
        'f"{task_of(ref)}/completed", json={"completed": True}',
        'task_of(ref), json={"completed": True, "body": ""}',
    ),
    Mutant(
        "a limit is not kept",
        "limit",
        "syncer.reconcile.guard",
        "    allowed = creates <= limits.creates and completions <= limits.completions and",
        "    allowed = creates <= limits.creates * 3 and completions <= limits.completions * 3 and",
        having=("limits",),
    ),
    Mutant(
        "a task of a read-only sequence is completed",
        "read_only",
        "syncer.reconcile.obstacles",
        "        if replica.sequence and not capabilities.completes_sequences:\n",
        "        if replica.sequence and not capabilities.completes_kinds:\n",
        having=("sequences",),
    ),
    Mutant(
        "a message is completed",
        "read_only",
        "adapters.reply.abilities",
        "completes_kinds=frozenset(settings.complete_kinds)",
        "completes_kinds=frozenset(Kind)",
        having=("messages",),
    ),
    Mutant(
        "what is equal is one",
        "crash",
        "syncer.reconcile.twins",
        "or task.held or not work.has_room(task.id, reading.system):",
        "or task.held:",
        having=("equal", "one_person"),
    ),
    Mutant(
        # The run would leave out whoever has such a task, and go on.
        "an error of ours with one person's tasks",
        "crash",
        "syncer.reconcile.merging",
        "        task = self.base.tasks[task_id]\n",
        "        task = self.base.tasks[system]\n",
        having=("one_person",),
    ),
    Mutant(
        "a due is enough for a twin",
        "L3",
        "syncer.reconcile.twins",
        "    alike = near and reading.kind.compatible(task.kind) and same_title(reading.title, task.title)\n",
        "    alike = near and reading.kind.compatible(task.kind)\n",
        having=("same_due", "one_person"),
    ),
    Mutant(
        "one row that cannot be understood spoils the list",
        "L7",
        "adapters.reply.rows",
        "        words = redact(complaint(error))\n",
        "        from syncer.contract.errors import BadAnswer\n"
        "        raise BadAnswer(complaint(error), system=SYSTEM) from error\n",
        having=("malformed_task", "completions"),
    ),
    Mutant(
        "what moved to its next date is completed again",
        "L3",
        "syncer.engine.outcomes",
        "    state = ReplicaState.DONE if reading.state is State.OPEN else CLOSED_AS[reading.state]\n",
        "    state = ReplicaState.DONE if reading.state is State.OPEN else CLOSED_AS[reading.state]\n"
        "    if operation.system == 'highlevel':\n        state = ReplicaState.OPEN\n",
        having=("recurring", "completions"),
    ),
    Mutant(
        "a grace is over when the clock is put forward",
        "L2",
        "syncer.engine.settle",
        "    now, forward, changes = context.clock(), context.base.put_forward, Changes()\n",
        "    now, forward, changes = context.clock(), timedelta(0), Changes()\n",
        without="twins",
        having=("clocks", "lost_answers"),
    ),
    Mutant(
        "what was read ten years ahead counts for ten years",
        "L8",
        "syncer.ledger.identity",
        "    if is_copy(cursors) and datetime.fromisoformat(cursors[_RESTORED]) > now:\n",
        "    if is_copy(cursors) and datetime.fromisoformat(cursors[_RESTORED]) > now and not runs:\n",
        having=("restored_ten_years_ahead",),
    ),
    Mutant(
        "a lead that fails stops its CRM",
        "L7",
        "syncer.engine.connection",
        "isinstance(error, Forbidden)))\n            if whole:\n",
        "isinstance(error, Forbidden)))\n            if whole or isinstance(error, Unavailable):\n",
        without="markers",
        having=("failing_lead",),
    ),
    Mutant(
        "one task that is forbidden locks us out",
        "L7",
        "syncer.engine.connection",
        "(whole or not isinstance(error, Forbidden)):",
        "(whole or isinstance(error, Unauthorized)):",
        without="markers",
        having=("forbidden_soon",),
    ),
    Mutant(
        "an account waits for a CRM that it does not have",
        "L8",
        "syncer.reconcile.plan",
        "            return\n        for system in self._policy.systems:\n",
        "            return\n        for system in self._policy.systems[: len(self._policy.systems) // 3 * 3]:\n",
        having=("pairs",),
    ),
)
