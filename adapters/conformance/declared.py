"""Trials of the declaration itself: what cannot be true together, and what the engine relies on."""

from __future__ import annotations

from functools import partial
from typing import Any

from adapters.conformance.bench import Bench
from adapters.conformance.clockwork import run_in_virtual_time
from adapters.conformance.trial import UNKNOWN, Trials, must_not_exist, need, ref, some_tasks, somebody, trial
from adapters.skeleton import AdapterSkeleton
from syncer.contract.adapter import Completes, ListsTasks
from syncer.contract.profile import Profile
from syncer.contract.settings import ConnectionSettings
from syncer.domain.dues import DAY, SECOND
from syncer.domain.model import Kind


class DeclarationTrials(Trials):
    """Capabilities, identity, check."""

    def test_everything_that_is_declared_is_written(self) -> None:
        """The one test that fails before the others can be tried: it says what to write next."""
        missing = run_in_virtual_time(self.to_write_next())
        need(not missing, missing)

    @trial
    async def test_it_can_be_registered(self, bench: Bench) -> None:
        """The registry needs a system's name, and the model of its table in an account file."""
        adapter = bench.adapter
        need(not isinstance(adapter, AdapterSkeleton), "nothing of the skeleton is left: derive it from Adapter itself")
        need(adapter.system and adapter.system == bench.sandbox.system, "adapter and sandbox have one system's name")
        model: Any = getattr(adapter, "settings_model", None)
        need(
            isinstance(model, type) and issubclass(model, ConnectionSettings),
            "settings_model must be a subclass of syncer.contract.settings.ConnectionSettings",
        )
        profile: Any = getattr(model, "profile", None)
        need(isinstance(profile, Profile), "the settings need a profile: what `syncer init` asks and tells")
        required = {name for name, field in model.model_fields.items() if field.is_required()}
        asked = {credential.setting for way in profile.ways for credential in way.credentials}
        # `syncer init` writes exactly these, and could not read its own file again.
        unknown = {*asked, *profile.more} - model.model_fields.keys()
        need(not unknown, f"the profile asks for settings that there are not: {sorted(unknown)}")
        left = required - {profile.setting, *profile.more}
        need(not left, f"the profile asks for all settings that have no default, and leaves out {sorted(left)}")

    @trial
    async def test_capabilities_fit_together(self, bench: Bench) -> None:
        """A lane needs a policy, an absence must be checked by reading, a contact must be findable."""
        can = bench.adapter.capabilities
        # A plan is made from them and carried out minutes later.
        need(can == bench.adapter.capabilities, "capabilities must not change while a connection is used")
        need(can.creates, "creates must name at least one kind")
        need(can.exclusive <= can.creates, "exclusive kinds must be among those that can be created")
        need((can.lane is not None) == bool(can.exclusive), "lane is set where exclusive is not empty, and only there")
        need(
            can.lane is None or can.lists_tasks is ListsTasks.PER_CONTACT,
            "a lane is planned from the contact's own list: lists_tasks must be ListsTasks.PER_CONTACT",
        )
        need(
            can.completes is Completes.TASK or can.lane is not None,
            "what completes the newest task of a contact must have a lane: its tasks are planned together",
        )
        need(
            can.gets_task or can.lists_tasks is ListsTasks.PER_CONTACT,
            "an adapter that lists all tasks must get one: what is not listed is read by itself",
        )
        need(can.due_step >= SECOND, "no CRM need keep less than a second: due_step is a second, or more")
        need(can.due_step < DAY or can.due_zone, "where every due is a day, due_zone is the account's time zone")
        # In UTC an adapter that mixes up days of two zones passes every trial.
        elsewhere = can.due_zone is None or self.now().astimezone(can.due_zone).utcoffset()
        need(elsewhere, "make the bench with a time zone far from UTC, such as Asia/Kolkata")
        need(set(can.contact_keys) <= set(UNKNOWN), "contact_keys may name email and phone only")
        need(can.lists_contacts or can.contact_keys, "contacts must be listed, or found by some key")
        need(
            can.lists_tasks is ListsTasks.ALL or "phone" in can.contact_keys,
            "where tasks are listed contact by contact, contacts are found by phone",
        )

    @trial
    async def test_what_cannot_be_marked_can_be_told_by_its_type(self, bench: Bench) -> None:
        """Where no marker can be read back, a lost answer is found by the type and the due."""
        can = bench.adapter.capabilities
        unnamed = [kind.value for kind in can.creates if not bench.adapter.raw_type(kind)]
        need(can.reads_marker or not unnamed, f"without a marker, raw_type must name the types of {unnamed}")

    @trial
    async def test_what_is_not_declared_is_not_implemented(self, bench: Bench) -> None:
        """A method that the CRM cannot serve raises `NotImplementedError` and sends nothing."""
        contact = somebody(bench)
        task = some_tasks(bench, contact, 1)[0]
        adapter, can = bench.adapter, bench.adapter.capabilities
        if can.lists_tasks is not ListsTasks.ALL:
            await must_not_exist(adapter.list_tasks, "list_tasks")
        if not can.gets_task:
            await must_not_exist(lambda: adapter.get_task(ref(bench, task, contact)), "get_task")
        if not can.lists_contacts:
            await must_not_exist(adapter.list_contacts, "list_contacts")
        if not can.tells_changes:
            await must_not_exist(lambda: adapter.list_changed(None), "list_changed")
        for name in UNKNOWN.keys() - set(can.contact_keys):
            await must_not_exist(partial(adapter.find_contacts, UNKNOWN[name]), f"find_contacts by {name}")
        need(not bench.calls, "what is not declared must not be asked of the CRM")

    @trial
    async def test_the_account_is_the_same_one_each_time(self, bench: Bench) -> None:
        first = await bench.adapter.identity()
        need(first == await bench.adapter.identity(), "identity must give the same account twice")
        need(first.label, "identity needs a label for people")

    @trial
    async def test_check_is_content_and_harmless(self, bench: Bench) -> None:
        checks = await bench.adapter.check()
        need(checks, "check must try something")
        bad = [f"{check.what}: {check.detail}" for check in checks if check.ok is False]
        need(not bad, f"nothing is wrong, but check says: {bad}")
        need(bench.calls and not bench.writes, "check reads, and writes nothing")

    @trial
    async def test_kinds_are_known_or_guessed_as_declared(self, bench: Bench) -> None:
        """``has_kinds`` and each reading's ``kind_known`` say the same."""
        contact = somebody(bench)
        can = bench.adapter.capabilities
        for kind in sorted(can.creates & {Kind.FOLLOW_UP_CALL, Kind.TODO} or can.creates):
            bench.add_task(contact, kind, self.now(), kind.label)
        for row in (await bench.adapter.list_contact_tasks(contact)).rows:
            need(row.kind_known == can.has_kinds, f"has_kinds is {can.has_kinds}, but kind_known {row.kind_known}")
