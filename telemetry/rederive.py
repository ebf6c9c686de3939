"""Which excursions can have changed, given the earliest new reading: exact, and without reading all
history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telemetry.excursion import Excursion, Sample, detect, quiet_before
from telemetry.profile import Profile

# A probe that has not been inside for longer than this is evaluated from here on: a bound on one batch's
# work.
FARTHEST = timedelta(days=60)
MARGIN = timedelta(hours=2)  # read at first beyond what the profile needs


@dataclass(frozen=True, slots=True)
class Rederived:
    """Stored excursions that start at or after ``since`` are to be replaced by ``excursions``; None means
    all."""

    since: datetime | None
    excursions: list[Excursion]


# Gives (readings at or after the instant, sorted; whether there are none before it).
Load = Callable[[datetime], tuple[Sequence[Sample], bool]]


def rederive(
    load: Load,
    profile: Profile,
    earliest_new: datetime,
    *,
    now: datetime | None = None,
    margin: timedelta = MARGIN,
) -> Rederived:
    """Evaluate again from the last quiet instant before ``earliest_new``.

    Equal to one pass over the whole series for every excursion that starts at or after ``since``; those
    before it cannot have changed.
    """
    span = profile.lookback + margin
    while True:
        lower = earliest_new - span
        series, complete = load(lower)
        if complete:
            return Rederived(None, detect(series, profile, now=now))
        since = quiet_before(series, profile, earliest_new)
        if since is not None and since - profile.lookback >= lower:
            found = detect(series, profile, now=now)
            return Rederived(since, [excursion for excursion in found if excursion.start >= since])
        if span > FARTHEST:
            return Rederived(lower, detect(series, profile, now=now))
        span = max(span * 2, earliest_new - since + profile.lookback) if since is not None else span * 2
