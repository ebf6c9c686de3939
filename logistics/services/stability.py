"""The stability clock of a tube in the database: its rules, its use-by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from logistics.domain import stability
from logistics.domain.stability import Exposure, StabilityRule, Status, Verdict
from logistics.models import Specimen, Test
from logistics.models.catalogue import AMBIENT, COLD, FROZEN
from logistics.services import reference

# Where the declared storage of a class keeps a tube; the box logger replaces it as soon as it speaks.
STORAGE_C: Mapping[str, float] = {COLD: 5.0, AMBIENT: 21.0, FROZEN: -20.0}
TOLERANCE = timedelta(minutes=20)
"""Less than this outside or without data asks nobody, but is charged: a lid opening, a lift."""

NO_RULE = "no_rule"  # the catalogue says nothing about any of the tube's tests: neither good nor bad


class RuleBook:
    """The stability rules in force at an instant, as the catalogue's ``version`` has them (None: the newest)."""

    def __init__(self, session: Session, at: datetime, *, version: int | None = None) -> None:
        self._rows = reference.stability_rules(session)
        self._found: dict[tuple[str, str, str, str], list[StabilityRule]] = {}
        self.at = at
        self.version = reference.stability_version(session) if version is None else version

    def rules(self, specimen: Specimen) -> dict[str, list[StabilityRule]]:
        """Rules by ordered test: the catalogue's, or the destination laboratory's own where it has some."""
        return {ordered.test.code: self.of(ordered.test, specimen) for ordered in specimen.tests}

    def of(self, test: Test, specimen: Specimen) -> list[StabilityRule]:
        """The rules of one test for a tube of this type and stage. Those of another stage or material say nothing."""
        key = (test.code, specimen.specimen_type, specimen.stage, specimen.destination_code)
        if key not in self._found:
            self._found[key] = self._look_up(test, specimen)
        return self._found[key]

    def _look_up(self, test: Test, specimen: Specimen) -> list[StabilityRule]:
        known = self._rows.get(test.stability_code, ()) if test.stability_code else ()
        standing = [row for row in known if self._stands(row) and _fits(row, specimen)]
        own = [row for row in standing if row.site_code == specimen.destination_code]
        rows = own or [row for row in standing if row.site_code is None]
        return [rule for row in rows if (rule := _rule(row)) is not None]

    def _stands(self, row: Row[Any]) -> bool:
        if row.since_version > self.version or (row.until_version is not None and row.until_version <= self.version):
            return False
        begun = row.valid_from is None or row.valid_from <= self.at
        return begun and (row.valid_until is None or self.at < row.valid_until)


def _fits(row: Row[Any], specimen: Specimen) -> bool:
    types = row.specimen_type.split(";") if row.specimen_type else ()
    return row.stage in {"", specimen.stage} and (not types or specimen.specimen_type in types)


def _rule(row: Row[Any]) -> StabilityRule | None:
    """The row as a rule, if it sets a limit."""
    if row.max_hours is None or row.temp_min_c is None or row.temp_max_c is None:
        return None
    limit = timedelta(hours=row.max_hours)
    return StabilityRule(row.test_code, row.temp_min_c, row.temp_max_c, limit, row.source, row.stage)


def worst(verdicts: Sequence[Verdict]) -> Status | None:
    """The gravest of the verdicts over a tube's tests."""
    return max((one.status for one in verdicts), key=list(Status).index, default=None)


def verdicts(
    book: RuleBook, specimen: Specimen, exposure: Exposure, *, at: datetime, temp_c: float | None
) -> dict[str, Verdict]:
    """The verdict of each test that has rules, from what the tube was exposed to up to ``at``; it stays at ``temp_c``
    from there on (None: nobody knows where)."""
    return {
        test: stability.verdict(rules, exposure, now=at, temp_c=temp_c, tolerance=TOLERANCE)
        for test, rules in book.rules(specimen).items()
        if rules
    }


def start_clock(session: Session, specimen: Specimen) -> None:
    """Set the use-by time at collection, for the declared storage of the tube's temperature class."""
    if specimen.collected_at is None:
        return
    book = RuleBook(session, specimen.collected_at)
    storage_c = STORAGE_C.get(specimen.temp_class)
    write(specimen, verdicts(book, specimen, Exposure(), at=specimen.collected_at, temp_c=storage_c))


def write(specimen: Specimen, found: Mapping[str, Verdict]) -> None:
    """Use-by and verdict of a tube from those of its tests."""
    limited = [(one.use_by, test) for test, one in sorted(found.items()) if one.use_by is not None]
    specimen.use_by_at, specimen.use_by_test = min(limited, default=(None, None))
    status = worst(list(found.values()))
    specimen.stability = status.value if status else NO_RULE
