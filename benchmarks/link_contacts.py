"""The time to link people across three CRMs: ``python benchmarks/link_contacts.py [PEOPLE]``."""

from __future__ import annotations

import sys
import time
from itertools import count

from syncer.domain.model import Record
from syncer.reconcile.contact_linking import link_records


def address_books(people: int) -> dict[tuple[str, str], Record]:
    """Return records of each person in three CRMs: with a phone number, with an e-mail, and with both."""
    records = {}
    for number in range(people):
        phones, emails = (f"+9198{number:08d}",), (f"{number}@example.com",)
        for system, its_phones, its_emails in (("a", phones, ()), ("b", (), emails), ("c", phones, emails)):
            record = Record(system, str(number), phones=its_phones, emails=its_emails)
            records[record.key] = record
    return records


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    records, numbers = address_books(people), count()
    links: dict[tuple[str, str], str] = {}
    for what in ("first", "again"):
        began = time.process_time()
        links |= link_records(records, links, lambda: f"{next(numbers):09d}").links
        print(f"{what}: {len(records)} records in {time.process_time() - began:.2f} s")


if __name__ == "__main__":
    main()
