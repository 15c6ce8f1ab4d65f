"""Whether records that are linked as one person still agree on that (pure).

The records of a link agree if both of these hold; otherwise they contradict each other.

- They are connected by keys that would join them today. Records without any key do not count. The keys of a deleted
  contact stay with its person (``left``), because they joined the other records, which have not changed.
- No key of the link leads to a record outside it, in a CRM where the link has a record without this key. If the link's
  record there has the same key, the other one is a newcomer and no contradiction. If the link's record there shares an
  e-mail with the record that has the phone number, the e-mail counts, as it does when records are joined. This does
  not hold if one of the two CRMs finds people by phone alone, because a call there reaches whoever has the number.

Records that contradict each other stay linked. Until they agree again, nothing is created through the link, and another
record joins it only by a key that two of its own records share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from syncer.domain.base import Base
from syncer.domain.contact_keys import many_share
from syncer.domain.model import Record

RecordKey = tuple[str, str]
Records = Mapping[RecordKey, Record]


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Records of which it is unclear which ones are one person. ``keys`` are the keys that they share.

    ``link`` is set if the records of this link contradict each other; ``others`` are the records outside the link.
    ``system`` is set if that CRM, called ``crm``, reported the ambiguity, with its ``words``; ``records`` are those
    that it was asked about.
    """

    records: tuple[RecordKey, ...]
    keys: tuple[str, ...]
    link: str | None = None
    others: tuple[RecordKey, ...] = ()
    system: str | None = None
    words: str = ""
    crm: str = ""

    def concerns(self, system: str) -> bool:
        """Whether the ambiguity is about a contact of this CRM."""
        return self.system == system or any(where == system for where, _ in self.records)

    @property
    def sentence(self) -> str:
        keys = " and ".join(self.keys)
        if self.system is not None:
            return f"{keys} of {_ids(self.records)} is ambiguous in {self.crm or self.system}: {self.words}"
        if self.link is None:
            return f"{keys} leads to {_ids(self.records)}"
        linked = f"{_ids(record for record in self.records if record not in self.others)} are linked as one person"
        if self.others:
            return f"{linked}, but {keys} now leads to {_ids(self.others)}; correct what is wrong"
        return f"{linked}, but no longer share a phone number or e-mail ({keys}); correct what is wrong"


def _ids(records: Iterable[RecordKey]) -> str:
    return ", ".join(f"{system}:{remote_id}" for system, remote_id in records)


def keys_of(record: Record, kinds: Collection[str] = ("phone", "email")) -> list[str]:
    """Return the record's keys of these kinds, sorted."""
    keys = {"phone": record.phones, "email": record.emails}
    return sorted({key for kind in kinds for key in keys[kind]})


def differ(one: Collection[str], other: Collection[str]) -> bool:
    """Whether two sets of e-mails belong to two persons. An empty set shows nothing."""
    return bool(one) and bool(other) and set(one).isdisjoint(other)


def join(one: Record, other: Record) -> bool:
    """Whether these two records would be joined today by their keys alone."""
    if any(email in other.emails for email in one.emails):
        return True
    # Different e-mails outweigh a number that an office may share. A missing e-mail contradicts nothing.
    alike = [phone for phone in one.phones if phone in other.phones]
    if not one.emails or not other.emails:
        return bool(alike)
    return not all(map(many_share, alike))


def may_be_one(base: Base, one: RecordKey, other: RecordKey) -> bool:
    """Whether these two contacts share a key and are linked as two persons: one exists twice, or a key is wrong."""
    records, links = base.records, base.links
    if one not in records or other not in records or links.get(one) == links.get(other):
        return False
    return join(records[one], records[other])


class Agreement:
    """Whether the records of a link are still one person."""

    def __init__(self, records: Records, by_phone: Collection[str], left: Mapping[str, Collection[str]]) -> None:
        self._records = records
        self._by_phone = frozenset(by_phone)
        self._left = left
        self._holders: dict[str, list[Record]] = defaultdict(list)
        for record in records.values():
            for key in {*record.phones, *record.emails}:
                self._holders[key].append(record)

    def contradiction(self, link: str, group: Collection[RecordKey]) -> Ambiguity | None:
        """Return how the records of this link contradict each other, or ``None``."""
        # A CRM that is no longer connected has links but no records here, and contradicts nobody.
        mine = [self._records[key] for key in sorted(group) if key in self._records]
        if len(mine) < 2:
            return None
        if elsewhere := self._elsewhere(mine):
            records = {record.key for _, *named in elsewhere for record in named}
            others = sorted({other.key for *_, other in elsewhere})
            return Ambiguity(tuple(sorted(records)), tuple(sorted({key for key, *_ in elsewhere})), link, tuple(others))
        # A lead may show no number although Superfone has found it by one.
        shown = [record for record in mine if record.phones or record.emails]
        if self._connected(shown, self._left.get(link, ())):
            return None
        keys = tuple(dict.fromkeys(key for record in shown for key in keys_of(record)))
        return Ambiguity(tuple(record.key for record in shown), keys, link)

    def _elsewhere(self, mine: list[Record]) -> list[tuple[str, Record, Record, Record]]:
        """Return the keys that lead outside the link: (key, its record, the link's record there, the other record)."""
        found = []
        # A link has at most one record of each CRM.
        here = {record.system: record for record in mine}
        for record in mine:
            for key in (*record.phones, *record.emails):
                holders = self._holders[key]
                if len(holders) < 2:
                    continue
                for other in holders:
                    own = here.get(other.system)
                    if own is not None and own is not other and self._is_others(key, record, own, other):
                        found.append((key, record, own, other))
        return found

    def _is_others(self, key: str, holder: Record, own: Record, other: Record) -> bool:
        """Whether this key of ``holder`` leads to the ``other`` record, and not to the link's ``own`` record there."""
        if key in own.phones or key in own.emails:
            return False
        if not key.startswith("+"):
            return True
        # Colleagues share the number of their office. It does not make them one person.
        if differ(holder.emails, other.emails) and many_share(key):
            return False
        return not self._by_phone.isdisjoint({own.system, holder.system}) or set(own.emails).isdisjoint(holder.emails)

    @staticmethod
    def _connected(shown: list[Record], left: Collection[str]) -> bool:
        if left:
            # A deleted contact may have been the only connection between the others, who did not change.
            phones = tuple(key for key in left if key.startswith("+"))
            emails = tuple(key for key in left if not key.startswith("+"))
            shown = [*shown, Record("", "", phones=phones, emails=emails)]
        reached, rest = shown[:1], shown[1:]
        # `reached` grows while it is walked, until nothing more is connected to it.
        for one in reached:
            still: list[Record] = []
            for other in rest:
                (reached if join(one, other) else still).append(other)
            rest = still
        # The keys of the deleted contact are a record without a system. They need not be connected.
        return not any(record.system for record in rest)
