"""The stability clock of a tube in the database: its rules, its use-by time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from logistics.domain import stability
from logistics.models import Specimen, Test
from logistics.models.catalogue import AMBIENT, COLD, FROZEN
from logistics.services import reference

# Where the declared storage of a class keeps a tube; the box logger replaces it as soon as it speaks.
STORAGE_C: Mapping[str, float] = {COLD: 5.0, AMBIENT: 21.0, FROZEN: -20.0}

NO_RULE = "no_rule"  # the catalogue says nothing about any of the tube's tests: neither good nor bad


class RuleBook:
    """The stability rules in force."""

    def __init__(self, session: Session) -> None:
        self._rows = reference.stability_rules(session)

    def rules(self, specimen: Specimen) -> dict[str, list[stability.StabilityRule]]:
        """Rules by ordered test: the catalogue's, or the destination laboratory's own where it has some."""
        return {ordered.test.code: self._of(ordered.test, specimen) for ordered in specimen.tests}

    def _of(self, test: Test, specimen: Specimen) -> list[stability.StabilityRule]:
        known = self._rows.get(test.stability_code, []) if test.stability_code else []
        own = [row for row in known if row.site_code == specimen.destination_code]
        rows = own or [row for row in known if row.site_code is None]
        staged = [row for row in rows if row.stage in {"", specimen.stage}]
        return [rule for row in staged or rows if (rule := _rule(row)) is not None]


def rules_of(session: Session, specimen: Specimen) -> dict[str, list[stability.StabilityRule]]:
    """The stability rules of one tube, by ordered test."""
    return RuleBook(session).rules(specimen)


def _rule(row: Row[Any]) -> stability.StabilityRule | None:
    """The row as a rule, if it sets a limit."""
    if row.max_hours is None or row.temp_min_c is None or row.temp_max_c is None:
        return None
    limit = timedelta(hours=row.max_hours)
    return stability.StabilityRule(row.test_code, row.temp_min_c, row.temp_max_c, limit, row.source, row.stage)


def start_clock(session: Session, specimen: Specimen) -> None:
    """Set the use-by time at collection, for the declared storage of the tube's temperature class."""
    if specimen.collected_at is None:
        return
    apply_exposure(session, specimen, stability.Exposure(), at=specimen.collected_at)


def apply_exposure(
    session: Session,
    specimen: Specimen,
    exposure: stability.Exposure,
    *,
    at: datetime,
    temp_c: float | None = None,
    tolerance: timedelta = timedelta(0),
    book: RuleBook | None = None,
) -> None:
    """Write use-by and verdict of a tube from what it has been exposed to up to ``at``.

    ``temp_c``: where it is kept from there on; None: as its temperature class is stored. ``tolerance``: time
    outside or unknown that asks nobody. ``book``: the rules of many tubes, read beforehand.
    """
    storage_c = temp_c if temp_c is not None else STORAGE_C.get(specimen.temp_class)
    earliest: tuple[datetime, str] | None = None
    worst: stability.Status | None = None
    severity = list(stability.Status)
    for test, rules in (book or RuleBook(session)).rules(specimen).items():
        if not rules:
            continue
        verdict = stability.verdict(rules, exposure, now=at, temp_c=storage_c, tolerance=tolerance)
        worst = verdict.status if worst is None else max(worst, verdict.status, key=severity.index)
        limit = stability.use_by(rules, exposure, now=at, temp_c=storage_c)
        if limit is not None and (earliest is None or limit < earliest[0]):
            earliest = (limit, test)
    specimen.use_by_at, specimen.use_by_test = earliest or (None, None)
    specimen.stability = worst.value if worst else NO_RULE
