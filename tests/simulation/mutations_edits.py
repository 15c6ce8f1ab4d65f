"""The planted faults in edits. Each breaks a law, and random histories notice every one."""

from __future__ import annotations

from tests.simulation.planting import Mutant

EDIT_MUTANTS = (
    Mutant(
        "white space ping-pongs",
        "L10",
        "adapters.text",
        "    return words_of(text)\n",
        "    return text\n",
        having=("editors",),
    ),
    Mutant(
        "a deleted copy ends nothing",
        "L4",
        "syncer.reconcile.endings",
        "        if alone or closes:\n",
        "        if False:\n",
        having=("deletions_close",),
    ),
    Mutant(
        "a copy that was missed once ends its task",
        "L9",
        "syncer.reconcile.endings",
        "        gone = misses >= MISSES_UNTIL_GONE and replica.misses > 0\n",
        "        misses, gone = MISSES_UNTIL_GONE, True\n",
        having=("deletions_close",),
    ),
    Mutant(
        "a colleague is written by the id that another CRM knows",
        "L10",
        "syncer.domain.policy",
        "if where == system and who == name), None)",
        "if who == name), None)",
        having=("assignees", "edits"),
    ),
    Mutant(
        "a due without its fraction of a second is another one",
        "L10",
        "syncer.domain.dues",
        "            return abs(due - other) < self.step\n",
        "            return due == other\n",
        having=("editors", "one_person"),
    ),
    Mutant(
        "a made-up due flows back",
        "L10",
        "syncer.reconcile.edits.by_field",
        "    if changed:\n",
        "    if changed or side.base is None:\n",
        having=("undated", "edits"),
    ),
    Mutant(
        "the marker grows with every edit",
        "L10",
        "adapters.highlevel.mapping",
        "for part in (text, marker.line if marker else None) if part)",
        "for part in (text, *[marker.line if marker else None] * 2) if part)",
        having=("edits",),
    ),
    Mutant(
        "the base of an edit is stored before its answer",
        "L10",
        "syncer.engine.edits",
        "        requests.store_intent(operation)\n",
        "        requests.store_intent(operation)\n"
        "        from syncer.reconcile.edits.base import with_owed\n"
        "        from syncer.reconcile.edits.by_field import Owed\n"
        "        gone = with_owed(replica, {change.field: Owed.NO for change in changes})\n"
        "        self._context.record(Changes(replicas={gone.key: gone}))\n",
        having=("failed_edits",),
    ),
    Mutant(
        "whose change gave way is not told",
        "L10",
        "syncer.reconcile.edits.travel",
        "    for lost in merged.lost:\n",
        "    for lost in merged.lost[:0]:\n",
        having=("edits", "late_contacts", "brief"),
    ),
    Mutant(
        "a whole task of Reply is written from what was read in the morning",
        "L10",
        "adapters.reply.adapter",
        "replacement(answer.parse_as(_OBJECT), whole,",
        'replacement(vars(self).setdefault("old", {}).setdefault(ref, answer.parse_as(_OBJECT)), whole,',
        having=("edits",),
    ),
    Mutant(
        "an edit is sent to a task that is to be closed",
        "L10",
        "syncer.reconcile.edits.travel",
        "    if task.state is not State.OPEN:\n        return ()\n",
        "",
        having=("done_while_owed",),
    ),
    Mutant(
        "what is made again in a lane counts as done",
        "L3",
        "syncer.reconcile.endings",
        "        if cause is not Cause.PERSON:\n",
        "        again = cause is Cause.OUR_CREATE and self._work.open_replica(task.id, replica.system) is not None\n"
        "        if cause is not Cause.PERSON and not again:\n",
        having=("edits", "pairs"),
    ),
    Mutant(
        "an edit in doubt counts as carried out",
        "L10",
        "syncer.engine.settle",
        "    done = [one for one in operation.changes if _shows(can, one, there[one.field])]\n",
        "    done = [one for one in operation.changes if can and one.new is not None]\n",
        having=("failed_edits",),
    ),
    Mutant(
        "a copy that could not be read is owed nothing",
        "L10",
        "syncer.reconcile.edits.by_field",
        "    if (typed and not changed) or",
        "    if (typed and side.read and not changed) or",
        having=("edits", "errors"),
    ),
    Mutant(
        "texts that no list shows are never read again",
        "L10",
        "syncer.reconcile.edits.rows",
        "    if can.lists_texts or not",
        "    if can.lists_texts or not can.lists_texts or not",
        having=("edits",),
    ),
    Mutant(
        "a copy of ours that people changed is not read",
        "L10",
        "syncer.reconcile.edits.rows",
        "        return differs(row, replica, capabilities, edits)\n",
        "        return False\n",
        having=("edits", "one_person"),
    ),
    Mutant(
        "the limit of edits is not kept",
        "limit",
        "syncer.reconcile.guard",
        "and edits <= limits.edits\n",
        "and edits <= limits.edits * 9\n",
        having=("edits", "few_edits"),
    ),
)
