"""Whether records that are linked as one person still agree on that (pure).

The records of a link contradict each other, unless

- those that show any key are connected by keys that would join them today, one after another. Which keys joined them
  once need not be remembered for that: as long as one of those is there on both sides, they are connected. A record
  without any key says nothing, for or against. A contact that is gone leaves its keys to its person (``left``): the
  others were joined by it, and have not changed;
- and none of its keys leads to another record, in a CRM where it has one that lacks this key. A second record beside
  its own, with the same key, is no contradiction but a newcomer. Where its own record there shares an e-mail with the
  one that has this number, the e-mail is believed, as it is when they are joined; not so where one of the two CRMs
  finds people by phone alone: whoever is called there has the number.

What is there stays linked all the same. No create goes through such a link, and it takes in nobody but by a key that
two of its own records share, until they agree again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from syncer.domain.contact_keys import many_share
from syncer.domain.model import Record

RecordKey = tuple[str, str]
Records = Mapping[RecordKey, Record]


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Records that cannot be told apart, or that one record cannot choose between; ``keys`` say by what.

    ``link`` is set where the records of this link contradict each other; ``others`` are those that are not its own.
    ``system`` is set where a CRM itself said that it cannot tell, in these ``words``; ``records`` are those it was
    asked for.
    """

    records: tuple[RecordKey, ...]
    keys: tuple[str, ...]
    link: str | None = None
    others: tuple[RecordKey, ...] = ()
    system: str | None = None
    words: str = ""

    def concerns(self, system: str) -> bool:
        """Whether it is about a contact of this CRM."""
        return self.system == system or any(where == system for where, _ in self.records)

    @property
    def sentence(self) -> str:
        keys = " and ".join(self.keys)
        if self.system is not None:
            return f"{keys} of {_ids(self.records)} is ambiguous in {self.system}: {self.words}"
        if self.link is None:
            return f"{keys} leads to {_ids(self.records)}"
        linked = f"{_ids(record for record in self.records if record not in self.others)} are linked as one person"
        if self.others:
            return f"{linked}, but {keys} now leads to {_ids(self.others)}; correct what is wrong"
        return f"{linked}, but no longer share a phone number or e-mail ({keys}); correct what is wrong"


def _ids(records: Iterable[RecordKey]) -> str:
    return ", ".join(f"{system}:{remote_id}" for system, remote_id in records)


def keys_of(record: Record, kinds: Collection[str] = ("phone", "email")) -> list[str]:
    """Its keys of these kinds, sorted."""
    keys = {"phone": record.phones, "email": record.emails}
    return sorted({key for kind in kinds for key in keys[kind]})


def differ(one: Collection[str], other: Collection[str]) -> bool:
    """Whether two sets of e-mails speak of two persons: one that is empty speaks of nobody."""
    return bool(one) and bool(other) and set(one).isdisjoint(other)


def join(one: Record, other: Record) -> bool:
    """Whether these two would be joined today, by their keys alone."""
    if any(email in other.emails for email in one.emails):
        return True
    alike = [phone for phone in one.phones if phone in other.phones]
    if not one.emails or not other.emails:
        return bool(alike)
    return not all(map(many_share, alike))


class Agreement:
    """Whether the records of a link still speak of one person."""

    def __init__(self, records: Records, by_phone: Collection[str], left: Mapping[str, Collection[str]]) -> None:
        self._records = records
        self._by_phone = frozenset(by_phone)
        self._left = left
        self._holders: dict[str, list[Record]] = defaultdict(list)
        for record in records.values():
            for key in {*record.phones, *record.emails}:
                self._holders[key].append(record)

    def contradiction(self, link: str, group: Collection[RecordKey]) -> Ambiguity | None:
        """What is wrong with it, if anything is; a record alone contradicts nobody."""
        mine = [self._records[key] for key in sorted(group) if key in self._records]
        if len(mine) < 2:
            return None
        if elsewhere := self._elsewhere(mine):
            records = {record.key for _, *named in elsewhere for record in named}
            others = sorted({other.key for *_, other in elsewhere})
            return Ambiguity(tuple(sorted(records)), tuple(sorted({key for key, *_ in elsewhere})), link, tuple(others))
        shown = [record for record in mine if record.phones or record.emails]
        if self._connected(shown, self._left.get(link, ())):
            return None
        keys = tuple(dict.fromkeys(key for record in shown for key in keys_of(record)))
        return Ambiguity(tuple(record.key for record in shown), keys, link)

    def _elsewhere(self, mine: list[Record]) -> list[tuple[str, Record, Record, Record]]:
        """Keys that lead to a record elsewhere though its CRM has another of mine: (key, one of mine, own, other)."""
        found = []
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
        """Whether this key of one record leads to the other one rather than to our own record there."""
        if key in own.phones or key in own.emails:
            return False
        if not key.startswith("+"):
            return True
        if differ(holder.emails, other.emails) and many_share(key):
            return False
        return not self._by_phone.isdisjoint({own.system, holder.system}) or set(own.emails).isdisjoint(holder.emails)

    @staticmethod
    def _connected(shown: list[Record], left: Collection[str]) -> bool:
        if left:
            phones = tuple(key for key in left if key.startswith("+"))
            emails = tuple(key for key in left if not key.startswith("+"))
            shown = [*shown, Record("", "", phones=phones, emails=emails)]
        reached, rest = shown[:1], shown[1:]
        for one in reached:
            still: list[Record] = []
            for other in rest:
                (reached if join(one, other) else still).append(other)
            rest = still
        return not any(record.system for record in rest)
