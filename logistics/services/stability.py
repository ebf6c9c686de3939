"""The stability clock of a tube in the database: its rules, its use-by time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain import stability
from logistics.models import Specimen, StabilityRuleRow
from logistics.models.catalogue import AMBIENT, COLD, FROZEN

# Where the declared storage of a class keeps a tube; the box logger replaces it as soon as it speaks.
STORAGE_C: Mapping[str, float] = {COLD: 5.0, AMBIENT: 21.0, FROZEN: -20.0}

NO_RULE = "no_rule"  # the catalogue says nothing about any of the tube's tests: neither good nor bad


def rules_of(session: Session, specimen: Specimen) -> dict[str, list[stability.StabilityRule]]:
    """Stability rules by ordered test: the catalogue's, or the destination laboratory's own where it has some."""
    by_test: dict[str, list[stability.StabilityRule]] = {}
    for ordered in specimen.tests:
        test = ordered.test
        if not test.stability_code:
            by_test[test.code] = []
            continue
        rows = session.scalars(
            select(StabilityRuleRow).where(
                StabilityRuleRow.test_code == test.stability_code,
                or_(StabilityRuleRow.site_code.is_(None), StabilityRuleRow.site_code == specimen.destination_code),
            )
        ).all()
        own = [row for row in rows if row.site_code is not None]
        staged = [row for row in own or rows if row.stage in {"", specimen.stage}]
        by_test[test.code] = [rule for row in staged or own or rows if (rule := _rule(row)) is not None]
    return by_test


def _rule(row: StabilityRuleRow) -> stability.StabilityRule | None:
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
) -> None:
    """Write use-by and verdict of a tube from what it has been exposed to up to ``at``.

    ``temp_c``: where it is kept from there on; None: as its temperature class is stored. ``tolerance``: time
    outside or unknown that asks nobody.
    """
    storage_c = temp_c if temp_c is not None else STORAGE_C.get(specimen.temp_class)
    earliest: tuple[datetime, str] | None = None
    worst: stability.Status | None = None
    severity = list(stability.Status)
    for test, rules in rules_of(session, specimen).items():
        if not rules:
            continue
        verdict = stability.verdict(rules, exposure, now=at, temp_c=storage_c, tolerance=tolerance)
        worst = verdict.status if worst is None else max(worst, verdict.status, key=severity.index)
        limit = stability.use_by(rules, exposure, now=at, temp_c=storage_c)
        if limit is not None and (earliest is None or limit < earliest[0]):
            earliest = (limit, test)
    specimen.use_by_at, specimen.use_by_test = earliest or (None, None)
    specimen.stability = worst.value if worst else NO_RULE
