"""Which records of several CRMs are one person (pure).

Records that share a key are joined, by e-mail first, then by phone, unless a key or a record leads to two records
of one CRM: that is ambiguous, joins nothing, and is listed. Links that exist are never taken apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from syncer.model import Record

RecordKey = tuple[str, str]
Group = frozenset[RecordKey]


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Records that cannot be told apart, or that one record cannot choose between; ``keys`` say by what."""

    records: tuple[RecordKey, ...]
    keys: tuple[str, ...]

    @property
    def sentence(self) -> str:
        ids = ", ".join(f"{system}:{remote_id}" for system, remote_id in self.records)
        return f"{' and '.join(self.keys)} leads to {ids}"


@dataclass(slots=True)
class Linked:
    """``links`` are new or moved, ``merged`` says which link became part of which."""

    links: dict[RecordKey, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    ambiguities: tuple[Ambiguity, ...] = ()


def link_records(
    records: Mapping[RecordKey, Record], links: Mapping[RecordKey, str], new_id: Callable[[], str]
) -> Linked:
    """Join what surely is one person. A record that shares no key with another one stays without a link."""
    work = _Linking(links)
    work.join_by({key: record.emails for key, record in records.items()})
    work.join_by({key: record.phones for key, record in records.items()})
    linked = Linked(ambiguities=work.ambiguities())
    for group in work.groups():
        _name_link(group, links, linked, new_id)
    return linked


def _name_link(group: Group, links: Mapping[RecordKey, str], linked: Linked, new_id: Callable[[], str]) -> None:
    if len(group) < 2:
        return
    old = sorted({links[key] for key in group if key in links})
    name = old[0] if old else new_id()
    for absorbed in old[1:]:
        linked.merged[absorbed] = name
    for key in sorted(group):
        if links.get(key) != name:
            linked.links[key] = name


class Namesakes:
    """Records of one CRM that share a key: by that key nobody can be made elsewhere, it would be anybody's."""

    def __init__(self, records: Mapping[RecordKey, Record]) -> None:
        self._records = records

    def of(self, mine: Collection[RecordKey], kinds: Collection[str]) -> Ambiguity | None:
        """The first key of these kinds (``"phone"``, ``"email"``) that one of mine shares, if any."""
        for record in sorted(mine):
            for key in _keys(self._records[record], kinds):
                holders = self._holders[record[0], key]
                if len(holders) > 1:
                    return Ambiguity(tuple(sorted(holders)), (key,))
        return None

    @cached_property
    def _holders(self) -> Mapping[tuple[str, str], list[RecordKey]]:
        holders: dict[tuple[str, str], list[RecordKey]] = defaultdict(list)
        for record in self._records.values():
            for key in _keys(record, ("phone", "email")):
                holders[record.system, key].append(record.key)
        return holders


def _keys(record: Record, kinds: Collection[str]) -> list[str]:
    keys = {"phone": record.phones, "email": record.emails}
    return sorted({key for kind in kinds for key in keys[kind]})


class _Linking:
    """Groups of records, growing stage by stage; what is ambiguous is remembered, not joined."""

    def __init__(self, links: Mapping[RecordKey, str]) -> None:
        members: dict[str, set[RecordKey]] = defaultdict(set)
        for key, link in links.items():
            members[link].add(key)
        self._joined: dict[RecordKey, Group] = {}
        for together in members.values():
            self._put(frozenset(together))
        self._doubts: dict[tuple[RecordKey, ...], set[str]] = defaultdict(set)
        self._torn: set[Group] = set()

    def groups(self) -> list[Group]:
        return sorted(set(self._joined.values()), key=min)

    def ambiguities(self) -> tuple[Ambiguity, ...]:
        return tuple(Ambiguity(records, tuple(sorted(keys))) for records, keys in sorted(self._doubts.items()))

    def join_by(self, keys_of: Mapping[RecordKey, Iterable[str]]) -> None:
        """One stage: join the groups that share a key of this sort."""
        edges = self._edges(keys_of)
        torn_before = frozenset(self._torn)
        self._drop_conflicts(edges)
        self._drop_torn(edges, torn_before)
        unfit: dict[Group, Group] = {}
        for component in _components(edges):
            union: Group = frozenset().union(*component)
            if _one_per_system(union):
                self._put(union)
            else:
                unfit |= dict.fromkeys(component, union)
        for (one, _), keys in edges.items():
            if one in unfit:
                self._doubt(unfit[one], keys)

    def _edges(self, keys_of: Mapping[RecordKey, Iterable[str]]) -> dict[tuple[Group, Group], set[str]]:
        holders: dict[str, list[RecordKey]] = defaultdict(list)
        for record, keys in keys_of.items():
            for key in set(keys):
                holders[key].append(record)
        edges: dict[tuple[Group, Group], set[str]] = defaultdict(set)
        for key, found in holders.items():
            if len(found) < 2:
                continue
            groups = {self._group(record) for record in found}
            if not _one_per_system(found):
                if len({system for system, _ in found}) > 1 and len(groups) > 1:
                    self._doubt(found, {key})
                continue
            for one in groups:
                for other in groups - {one}:
                    edges[one, other].add(key)
        return edges

    def _drop_conflicts(self, edges: dict[tuple[Group, Group], set[str]]) -> None:
        """A group whose keys lead to two records of one CRM does not choose between them."""
        neighbours: dict[Group, set[Group]] = defaultdict(set)
        for one, other in edges:
            neighbours[one].add(other)
        dropped: set[tuple[Group, Group]] = set()
        for group, around in neighbours.items():
            holders: dict[str, set[Group]] = defaultdict(set)
            for member in (group, *around):
                for system, _ in member:
                    holders[system].add(member)
            conflicting = {member for found in holders.values() if len(found) > 1 for member in found} - {group}
            if not conflicting:
                continue
            # A record that nobody linked yet and that could be two persons is joined to no one at all.
            lost = around if len(group) == 1 else conflicting
            if len(group) == 1:
                self._torn.add(group)
            keys = {key for other in lost for key in edges[group, other]}
            self._doubt({key for member in (group, *lost) for key in member}, keys)
            dropped |= {pair for other in lost for pair in ((group, other), (other, group))}
        for edge in dropped:
            del edges[edge]

    def _drop_torn(self, edges: dict[tuple[Group, Group], set[str]], torn: Collection[Group]) -> None:
        """Who could be two persons by e-mail is nobody's by phone either."""
        for one, other in [edge for edge in edges if edge[0] in torn or edge[1] in torn]:
            self._doubt(one | other, edges.pop((one, other)))

    def _doubt(self, records: Collection[RecordKey], keys: set[str]) -> None:
        self._doubts[tuple(sorted(records))] |= keys

    def _group(self, record: RecordKey) -> Group:
        return self._joined.get(record) or frozenset({record})

    def _put(self, group: Group) -> None:
        for key in group:
            self._joined[key] = group


def _one_per_system(records: Collection[RecordKey]) -> bool:
    return len({system for system, _ in records}) == len(records)


def _components(edges: Mapping[tuple[Group, Group], set[str]]) -> list[set[Group]]:
    """Connected sets of groups, in a stable order."""
    around: dict[Group, set[Group]] = defaultdict(set)
    for one, other in edges:
        around[one].add(other)
    components = []
    seen: set[Group] = set()
    for start in sorted(around, key=min):
        if start in seen:
            continue
        component, frontier = {start}, [start]
        while frontier:
            for other in around[frontier.pop()] - component:
                component.add(other)
                frontier.append(other)
        seen |= component
        components.append(component)
    return components
