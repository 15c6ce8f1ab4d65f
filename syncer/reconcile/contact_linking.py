"""Find the records of several CRMs that are one person (pure).

Records that share a key are joined, first by e-mail, then by phone. If a key or a record leads to two records of one
CRM, that is ambiguous: it joins nothing and is listed. A phone number that many people may share does not join records
with different e-mails. Existing links are never split, and a record never moves from one link to another.

`syncer.reconcile.agreement` says when the records of a link contradict each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, permutations
from typing import TypeVar

from syncer.domain.contact_keys import many_share
from syncer.domain.model import Record
from syncer.reconcile.agreement import Agreement, Records, differ, keys_of
from syncer.reconcile.agreement import Ambiguity as Ambiguity
from syncer.reconcile.agreement import RecordKey as RecordKey

Group = frozenset[RecordKey]
Edges = dict[tuple[Group, Group], set[str]]
T = TypeVar("T")


@dataclass(slots=True)
class Linked:
    """The result of linking. ``links`` are new or changed. ``merged`` maps a link to the link that it became part of.

    ``ambiguities`` concern records, and links whose records contradict each other.
    """

    links: dict[RecordKey, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    ambiguities: tuple[Ambiguity, ...] = ()


def link_records(
    records: Records,
    links: Mapping[RecordKey, str],
    new_id: Callable[[], str],
    *,
    by_phone: Collection[str] = (),
    left: Mapping[str, Collection[str]] | None = None,
) -> Linked:
    """Join the records that are certainly one person. A record that shares no key with another one gets no link.

    ``by_phone`` are the CRMs that find people by phone alone. ``left`` are the keys of deleted contacts, by link.
    """
    agreement = Agreement(records, by_phone, left or {})
    members: dict[str, set[RecordKey]] = defaultdict(set)
    for key, link in links.items():
        members[link].add(key)
    broken = _broken(agreement, members)
    work = _Linking(records, members.values(), [frozenset(members[link]) for link in broken])
    # E-mails come first: a phone number is more often shared by several people, such as a reception's.
    work.join_by({key: record.emails for key, record in records.items()})
    work.join_by({key: record.phones for key, record in records.items()})
    linked = Linked()
    for group in work.groups():
        name = _name_link(group, links, linked, new_id)
        # A newcomer may end a contradiction or begin one, so a link that grew is judged again.
        if name is not None and len(group) > len(members.get(name, ())):
            for link in {links[key] for key in group if key in links}:
                broken.pop(link, None)
            broken |= _broken(agreement, {name: group})
    # Linking may doubt the same records by the same keys. That is told once, as the contradiction, which names the
    # link.
    told = {(found.records, found.keys) for found in broken.values()}
    doubts = [doubt for doubt in work.ambiguities() if (doubt.records, doubt.keys) not in told]
    linked.ambiguities = (*doubts, *(broken[link] for link in sorted(broken)))
    return linked


def _broken(agreement: Agreement, members: Mapping[str, Collection[RecordKey]]) -> dict[str, Ambiguity]:
    """Return the links whose records contradict each other, each with the contradiction."""
    found = {link: agreement.contradiction(link, group) for link, group in members.items()}
    return {link: contradiction for link, contradiction in found.items() if contradiction is not None}


def _name_link(group: Group, links: Mapping[RecordKey, str], linked: Linked, new_id: Callable[[], str]) -> str | None:
    if len(group) < 2:
        return None
    old = sorted({links[key] for key in group if key in links})
    # The order of the records must not matter: the smallest id stays.
    name = old[0] if old else new_id()
    for absorbed in old[1:]:
        linked.merged[absorbed] = name
    for key in sorted(group):
        if links.get(key) != name:
            linked.links[key] = name
    return name


class Namesakes:
    """Records of one CRM that share a key. No contact is created elsewhere by such a key: it may be either person's."""

    def __init__(self, records: Mapping[RecordKey, Record]) -> None:
        self._records = records

    def of(self, mine: Collection[RecordKey], kinds: Collection[str]) -> Ambiguity | None:
        """Return the first shared key of these records, of the kinds ``"phone"`` and ``"email"``, or ``None``."""
        for record in sorted(mine):
            for key in keys_of(self._records[record], kinds):
                holders = self._holders[record[0], key]
                if len(holders) > 1:
                    return Ambiguity(tuple(sorted(holders)), (key,))
        return None

    @cached_property
    def _holders(self) -> Mapping[tuple[str, str], list[RecordKey]]:
        holders: dict[tuple[str, str], list[RecordKey]] = defaultdict(list)
        for record in self._records.values():
            for key in keys_of(record):
                holders[record.system, key].append(record.key)
        return holders


class _Linking:
    """Groups of records that grow in stages. Ambiguous records are noted and not joined."""

    def __init__(self, records: Records, linked: Iterable[Collection[RecordKey]], closed: Iterable[Group]) -> None:
        """``linked`` are the existing links. ``closed`` are those of them whose records contradict each other."""
        self._records = records
        self._closed = frozenset(closed)
        self._joined: dict[RecordKey, Group] = {}
        for together in linked:
            self._put(frozenset(together))
        self._doubts: dict[tuple[RecordKey, ...], set[str]] = defaultdict(set)
        self._torn: set[Group] = set()

    def groups(self) -> list[Group]:
        return sorted(set(self._joined.values()), key=min)

    def ambiguities(self) -> tuple[Ambiguity, ...]:
        return tuple(Ambiguity(records, tuple(sorted(keys))) for records, keys in sorted(self._doubts.items()))

    def join_by(self, keys_of: Mapping[RecordKey, Iterable[str]]) -> None:
        """Run one stage: join the groups that share a key of this kind."""
        # The order matters: each step removes edges, and the steps after it see only what is left.
        edges = self._edges(keys_of)
        self._narrow(edges, keys_of)
        torn_before = frozenset(self._torn)
        self._drop_conflicts(edges)
        # Records that this stage itself found ambiguous have lost all their edges already.
        self._drop_torn(edges, torn_before)
        self._drop_strangers(edges)
        # A chain of keys may lead to two records of one CRM, though no single key does. Then nobody in it is joined.
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

    def _edges(self, keys_of: Mapping[RecordKey, Iterable[str]]) -> Edges:
        holders: dict[str, list[RecordKey]] = defaultdict(list)
        for record, keys in keys_of.items():
            for key in set(keys):
                holders[key].append(record)
        edges: Edges = defaultdict(set)
        for key, found in holders.items():
            if len(found) < 2 or len({self._group(record) for record in found}) < 2:
                continue
            for holding in self._apart(key, found):
                self._add_edges(edges, key, holding)
        return edges

    def _add_edges(self, edges: Edges, key: str, found: list[RecordKey]) -> None:
        groups = {self._group(record) for record in found}
        if not _one_per_system(found) or self._strangers(key, found):
            # Several contacts of one CRM may share a key. That is unclear only if a record of another CRM has it, too.
            if len({system for system, _ in found}) > 1 and len(groups) > 1:
                self._doubt(found, {key})
            return
        for one in groups:
            for other in groups - {one}:
                edges[one, other].add(key)

    def _apart(self, key: str, found: list[RecordKey]) -> list[list[RecordKey]]:
        """Split the records that have this phone number by their e-mails, if many people may share the number.

        They stay together if one of them has no e-mail: it could be any of the others.
        """
        if not key.startswith("+"):
            return [found]
        emails = {record: self._emails(self._group(record)) for record in found}
        first = emails[found[0]]
        if not all(emails.values()) or not any(differ(first, other) for other in emails.values()):
            return [found]
        # Asked last, because the number is looked up in the numbering plans for it.
        if not many_share(key):
            return [found]
        holders: dict[str, list[RecordKey]] = defaultdict(list)
        for record in found:
            for email in emails[record]:
                holders[email].append(record)
        around = {record: {other for email in emails[record] for other in holders[email]} for record in found}
        return [sorted(together) for together in _connected_sets(around)]

    def _strangers(self, key: str, found: Collection[RecordKey]) -> bool:
        """Whether many people may share this phone number, and some of the records have different e-mails."""
        if not key.startswith("+"):
            return False
        emails = [self._emails(self._group(record)) for record in found]
        return any(differ(one, other) for one, other in combinations(emails, 2)) and many_share(key)

    def _emails(self, group: Group) -> set[str]:
        return {email for key in group if key in self._records for email in self._records[key].emails}

    def _drop_conflicts(self, edges: Edges) -> None:
        """Drop the edges of groups whose keys lead to two records of one CRM: nothing tells which one is right."""
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
            # An unlinked record that could be two persons joins nobody. A link keeps its other edges.
            lost = around if len(group) == 1 else conflicting
            if len(group) == 1:
                self._torn.add(group)
            keys = {key for other in lost for key in edges[group, other]}
            self._doubt({key for member in (group, *lost) for key in member}, keys)
            dropped |= {pair for other in lost for pair in ((group, other), (other, group))}
        for edge in dropped:
            del edges[edge]

    def _drop_torn(self, edges: Edges, torn: Collection[Group]) -> None:
        """Drop the edges of records that were ambiguous by e-mail: a phone number does not make them clear."""
        for one, other in [edge for edge in edges if edge[0] in torn or edge[1] in torn]:
            self._doubt(one | other, edges.pop((one, other)))

    def _drop_strangers(self, edges: Edges) -> None:
        """Drop edges by shareable phone numbers if e-mails differ, also if a third record would join the two."""
        for component in _components(edges):
            emails = [self._emails(group) for group in component]
            if not any(differ(one, other) for one, other in combinations(emails, 2)):
                continue
            for one, other in permutations(component, 2):
                if (one, other) in edges and all(key.startswith("+") and many_share(key) for key in edges[one, other]):
                    self._doubt(frozenset().union(*component), edges.pop((one, other)))

    def _narrow(self, edges: Edges, keys_of: Mapping[RecordKey, Iterable[str]]) -> None:
        """Limit a link whose records contradict each other to the keys that two of its records share."""
        for edge in [edge for edge in edges if not self._closed.isdisjoint(edge)]:
            one_sided = set[str]()
            for group in self._closed.intersection(edge):
                # A key that only one of its records has may be the wrong one, and would bring in another person.
                shown = Counter(key for record in group for key in set(keys_of.get(record, ())))
                one_sided |= {key for key in edges[edge] if shown[key] < 2}
            if one_sided:
                self._doubt(edge[0] | edge[1], one_sided)
                edges[edge] -= one_sided
            if not edges[edge]:
                del edges[edge]

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
    """Return the connected sets of groups, in a stable order."""
    around: dict[Group, set[Group]] = defaultdict(set)
    for one, other in edges:
        around[one].add(other)
    return _connected_sets({group: around[group] for group in sorted(around, key=min)})


def _connected_sets(around: Mapping[T, Collection[T]]) -> list[set[T]]:
    """Return the connected components of a graph, ordered by their first node in ``around``."""
    found: list[set[T]] = []
    seen: set[T] = set()
    for start in around:
        if start in seen:
            continue
        component, frontier = {start}, [start]
        while frontier:
            for other in around[frontier.pop()]:
                if other not in component:
                    component.add(other)
                    frontier.append(other)
        seen |= component
        found.append(component)
    return found
