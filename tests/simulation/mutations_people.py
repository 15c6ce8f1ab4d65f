"""The planted faults in who is who. Each breaks a law, and random histories notice every one."""

from __future__ import annotations

from tests.simulation.planting import Mutant

PEOPLE_MUTANTS = (
    Mutant(
        "a twin may be another person's",
        "contact",
        "syncer.reconcile.twins",
        "by_contact[task.contact].append(task)",
        "by_contact[''].append(task)",
        also=(('by_contact[work.contact_of(reading) or ""]', 'by_contact[""]'),),
    ),
    Mutant(
        "a contact that may still arrive is asked for again",
        "contact",
        "syncer.domain.base",
        "any(asked is not None and within(",
        "any(asked is not None and now is None and within(",
        without="twins",
        having=("late_contacts", "brief"),
    ),
    # what belongs to one dimension of a history
    Mutant(
        "a number that had no lead is never asked for again",
        "L7",
        "syncer.reconcile.reading_list",
        "    if asked is None or not within(asked, now, recheck):\n",
        "    if asked is None or not within(asked, now, recheck * 1000):\n",
        having=("contacts", "brief"),
    ),
    Mutant(
        "what is gone with its contact is done",
        "L3",
        "syncer.reconcile.endings",
        "        gone = misses >= MISSES_UNTIL_GONE and replica.misses > 0\n",
        "        gone = misses >= MISSES_UNTIL_GONE and replica.misses > 0\n"
        "        if gone:\n            self._conclude(self._work.base.tasks[replica.task], State.DONE)\n",
        having=("deleted_contacts",),
    ),
    Mutant(
        "whose number it was is believed by e-mail",
        "contact",
        "syncer.reconcile.agreement",
        "return not self._by_phone.isdisjoint({own.system, holder.system}) or set(",
        "return set(",
        having=("moved_numbers",),
    ),
    Mutant(
        "a task stays with a contact that was merged into another one",
        "L7",
        "syncer.reconcile.merging",
        "            contact=self._person_of(task, reading),\n",
        "",
        without="markers",
        having=("merged_contacts", "one_person"),
    ),
    Mutant(
        "whoever shares an office's number is one person",
        "contact",
        "syncer.domain.contact_keys",
        "return number is None or phonenumbers.number_type(number) not in _OF_ONE_PERSON",
        "return number is None",
        having=("dirty", "completions", "late_contacts", "brief"),
    ),
    Mutant(
        "what a task leaves with the first person is made again",
        "contact",
        "syncer.reconcile.other_contact",
        "            left = _begin(work, left, staying or closed)\n",
        "            left = _begin(work, task, staying or closed)\n",
        having=("moved_tasks", "gifts"),
    ),
    Mutant(
        "a copy that is given to another person stays with its task",
        "L8",
        "syncer.reconcile.other_contact",
        "elsewhere(work.base, task, row)) is not None and _is_certain(",
        "elsewhere(work.base, task, row)) is not None and not row.key and _is_certain(",
        having=("moved_tasks", "gifts", "brief"),
    ),
    Mutant(
        "what is closed for one person is done for the other",
        "L3",
        "syncer.reconcile.other_contact",
        "        if task.state is not State.OPEN or not (moved or task in self):\n",
        "        if task.state is State.OPEN:\n",
        having=("moved_tasks", "gifts", "completions"),
    ),
)
