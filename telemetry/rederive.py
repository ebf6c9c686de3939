"""Which excursions can have changed, given the earliest new reading: exact, and without reading all
history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telemetry.excursion import Excursion, Sample, detect, ends_quiet, quiet_before
from telemetry.profile import Profile, Versions, versions_of

# A probe that has not been inside for longer than this is evaluated from here on: a bound on one batch's
# work.
FARTHEST = timedelta(days=60)
MARGIN = timedelta(hours=2)  # read at first beyond what the profile needs


@dataclass(frozen=True, slots=True)
class Rederived:
    """Stored excursions that start at or after ``since`` are to be replaced by ``excursions``; None means
    all. ``quiet``: no run can be under way at the newest reading."""

    since: datetime | None
    excursions: list[Excursion]
    quiet: bool


# Gives (readings at or after the instant, sorted; whether there are none before it).
Load = Callable[[datetime], tuple[Sequence[Sample], bool]]


def rederive(
    load: Load,
    judge: Profile | Versions,
    earliest_new: datetime,
    *,
    now: datetime | None = None,
    margin: timedelta = MARGIN,
) -> Rederived:
    """Evaluate again from the last quiet instant before ``earliest_new``.

    Equal to one pass over the whole series for every excursion that starts at or after ``since``; those
    before it cannot have changed.
    """
    versions = versions_of(judge)
    span = versions.lookback + margin
    while True:
        lower = earliest_new - span
        series, complete = load(lower)
        if complete:
            return Rederived(None, detect(series, versions, now=now), ends_quiet(series, versions))
        since = quiet_before(series, versions, earliest_new)
        if since is not None and since - versions.lookback >= lower:
            found = [excursion for excursion in detect(series, versions, now=now) if excursion.start >= since]
            return Rederived(since, found, ends_quiet(series, versions))
        if span > FARTHEST:
            return Rederived(lower, detect(series, versions, now=now), quiet=False)
        span = max(span * 2, earliest_new - since + versions.lookback) if since is not None else span * 2
