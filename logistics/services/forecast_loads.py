"""How many boxes a site will have ready, before it says so: what it sent on the same weekdays before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.models import Consignment
from logistics.models.catalogue import COLD, TEMP_CLASSES
from logistics.services.orders import local_day

WEEKS = 4
DEFAULT: Mapping[str, int] = {COLD: 1}
"""A site that has sent nothing yet: one cold box."""

Loads = dict[str, int]


def expected(session: Session, site_codes: Iterable[str], *, day: str) -> dict[str, Loads]:
    """Box slots per temperature class for each site: the mean of the last weeks' same weekday, rounded up.

    Rounded up because a box that does not fit costs a second trip and an empty slot costs nothing.
    """
    wanted = sorted(set(site_codes))
    start = datetime.fromisoformat(f"{day}T00:00:00+08:00")
    weekday = start.weekday()
    rows = session.execute(
        select(Consignment.origin_code, Consignment.temp_class, Consignment.sealed_at, func.count())
        .where(
            Consignment.origin_code.in_(wanted),
            Consignment.sealed_at >= start - timedelta(weeks=WEEKS),
            Consignment.sealed_at < start,
        )
        .group_by(Consignment.origin_code, Consignment.temp_class, Consignment.sealed_at)
    )
    sums: dict[str, Loads] = {}
    days: dict[str, set[str]] = {}
    for origin, temp_class, sealed_at, count in rows:
        if sealed_at is None or (sent_on := local_day(sealed_at)).weekday() != weekday:
            continue
        days.setdefault(origin, set()).add(sent_on.isoformat())
        loads = sums.setdefault(origin, {})
        loads[temp_class] = loads.get(temp_class, 0) + count
    return {code: _mean(sums.get(code, {}), len(days.get(code, ()))) for code in wanted}


def _mean(sums: Loads, days: int) -> Loads:
    if not days:
        return dict(DEFAULT)
    found = {name: math.ceil(sums[name] / days) for name in TEMP_CLASSES if sums.get(name)}
    return found or dict(DEFAULT)
