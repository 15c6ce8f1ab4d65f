"""Which user of a CRM is us, and who may be."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from syncer.domain.base import Base
from syncer.domain.cursors import OUR_USER
from syncer.domain.snapshot import Seen
from syncer.reconcile.our_user import OurUser
from tests.support.strategies import (
    API,
    CAPABILITIES,
    LANE,
    OTHER_LEDGER,
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_reading,
    marker_of,
    seen_of,
)

UNKNOWN = marker_of(f"{TYPED}:9", OTHER_LEDGER)


def the_user(base: Base, seen: Mapping[str, Seen], *, may_lack_writes: bool = False) -> OurUser:
    return OurUser(base, seen, CAPABILITIES, POLICY, may_lack_writes=may_lack_writes)


def test_our_user_is_whom_the_crm_named() -> None:
    us = the_user(a_base(cursors={OUR_USER + LANE: API}), {})
    assert (us.known(LANE), us.known(TYPED)) == (API, None)


@pytest.mark.parametrize(("title", "ours"), [(None, True), ("Ring", True), ("Visit", False)])
def test_our_user_is_probably_who_made_what_looks_like_our_copies(title: str | None, ours: bool) -> None:
    """What is only due with one, and has another title, somebody made for themselves."""
    copy = a_reading(PLAIN, "x", title="Ring", marker=UNKNOWN)
    in_lane = a_reading(LANE, "9", title=title, created_by="8")
    assert the_user(a_base(), seen_of(copy, in_lane)).probable(LANE) == ("8" if ours else None)


@pytest.mark.parametrize(
    ("may_lack_writes", "user", "may_be"), [(True, "8", True), (True, "7", False), (False, "8", False)]
)
def test_whoever_made_no_origin_may_be_us_where_another_ledger_wrote(
    may_lack_writes: bool, user: str, may_be: bool
) -> None:
    """User 7 made the origin that the marker names."""
    origin, copy = a_reading(TYPED, "9", title="Visit", created_by="7"), a_reading(PLAIN, "x", marker=UNKNOWN)
    us = the_user(a_base(), seen_of(origin, copy), may_lack_writes=may_lack_writes)
    assert us.may_be(LANE, user) is may_be
    assert not us.may_be(LANE, None)


def test_where_our_user_is_known_nobody_else_may_be_us() -> None:
    us = the_user(a_base(cursors={OUR_USER + LANE: API}), {}, may_lack_writes=True)
    assert (us.may_be(LANE, API), us.may_be(LANE, "8")) == (True, False)
