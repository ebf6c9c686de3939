"""'Try on past data': what a profile would have raised in a period, beside what the present versions raise.

Nothing is written. The work is bounded: loggers are looked at until a number of readings is reached, the box that
spoke last first, and the answer says how many were left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.models import Box
from logistics.services import network
from logistics.services.cold_chain import exposed_tubes
from telemetry import profiles, store
from telemetry.excursion import Excursion, Sample, detect, silences
from telemetry.models import Device, DeviceBinding, ReadingRow
from telemetry.profile import Profile, Versions
from telemetry.profiles import BOX, DEVICE, SITE, Line

MOST_READINGS = 250_000
MOST_EXCURSIONS = 200  # of which the tubes inside are looked up
LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Found:
    """An excursion that a profile finds; ``tubes`` None: not looked up."""

    box_code: str
    device_code: str
    excursion: Excursion
    tubes: int | None = None


@dataclass(slots=True)
class Side:
    """What one of the two would have raised. ``alerts``: one for a box and consignment with tubes inside;
    ``silences``: silent for longer than limit and grace."""

    found: list[Found] = field(default_factory=list)
    incidents: set[tuple[str, str]] = field(default_factory=set)
    silences: int = 0

    @property
    def alerts(self) -> int:
        return len(self.incidents)


@dataclass(slots=True)
class Trial:
    """``loggers`` looked at, ``left_out`` not for want of time; ``unlooked``: excursions whose tubes were not
    looked up, so that the alerts may be more."""

    since: datetime
    until: datetime
    present: Side = field(default_factory=Side)
    draft: Side = field(default_factory=Side)
    loggers: int = 0
    left_out: int = 0
    readings: int = 0
    unlooked: int = 0

    @property
    def differences(self) -> list[tuple[Found | None, Found | None]]:
        """(present, draft) by box and start of what only one of them finds, or both with other figures."""
        now = {_key(one): one for one in self.present.found}
        then = {_key(one): one for one in self.draft.found}
        keys = sorted(now.keys() | then.keys())
        return [(now.get(key), then.get(key)) for key in keys if not _alike(now.get(key), then.get(key))]


def _key(one: Found) -> tuple[datetime, str, str]:
    return one.excursion.start, one.box_code, one.excursion.rule.code


def _alike(one: Found | None, other: Found | None) -> bool:
    return one is not None and other is not None and one.excursion.end == other.excursion.end


def run(
    session: Session, line: Line, draft: Profile, scope: Scope, *, since: datetime, until: datetime, now: datetime
) -> Trial:
    """Judge the readings of since … until of the line's boxes by the draft and by the versions as they are."""
    trial = Trial(since, until)
    catalogue = profiles.catalogue(session)
    rows = _bindings(session, line, scope, since, until)
    for place, (binding, device, box) in enumerate(rows):
        begin = max(binding.bound_from, since - draft.lookback)
        end = min(binding.bound_to or until, until)
        count = session.scalar(
            select(func.count()).where(
                ReadingRow.device_code == device.code, ReadingRow.probe == binding.probe,
                ReadingRow.at >= begin, ReadingRow.at < end,
            )
        ) or 0  # fmt: skip
        if trial.readings + count > MOST_READINGS:
            trial.left_out = len(rows) - place
            break
        trial.loggers += 1
        trial.readings += count
        series = store.series(session, device.code, binding.probe, begin, end)
        present = catalogue.versions(box.temp_class, box.home_code, box.code, device.code, device.interval_s)
        proposed = Versions.always(draft.for_interval(timedelta(seconds=device.interval_s)))
        for side, versions in ((trial.present, present), (trial.draft, proposed)):
            _judge(side, box.code, device.code, series, versions, since, min(until, now))
    _look_up(session, trial)
    return trial


def _bindings(
    session: Session, line: Line, scope: Scope, since: datetime, until: datetime
) -> list[tuple[DeviceBinding, Device, Box]]:
    query = (
        select(DeviceBinding, Device, Box)
        .join(Device, Device.code == DeviceBinding.device_code)
        .join(Box, Box.code == DeviceBinding.box_code)
        .where(
            Box.temp_class == line.temp_class,
            DeviceBinding.bound_from < until,
            or_(DeviceBinding.bound_to.is_(None), DeviceBinding.bound_to > since),
        )
        .order_by(Device.last_reading_at.desc().nulls_last(), DeviceBinding.id)
    )
    if line.scope == DEVICE:
        query = query.where(Device.code == line.code)
    if line.scope == BOX:
        query = query.where(Box.code == line.code)
    parents: Mapping[str, str | None] = network.parents(session) if line.scope == SITE else {}
    return [
        (binding, device, box)
        for binding, device, box in session.execute(query)
        if scope.covers(box.home_code) and (line.scope != SITE or line.code in _above(box.home_code, parents))
    ]


def _above(code: str | None, parents: Mapping[str, str | None]) -> list[str]:
    """The site and those above it."""
    seen: list[str] = []
    while code is not None and code not in seen:
        seen.append(code)
        code = parents.get(code)
    return seen


def _judge(
    side: Side, box: str, device: str, series: list[Sample], versions: Versions, since: datetime, until: datetime
) -> None:
    side.found += [Found(box, device, one) for one in detect(series, versions, now=until) if one.triggered_at >= since]
    for begin, end in silences(series, versions):
        profile = versions.at(begin)
        if end > since and end - begin > profile.silence_after + profile.silence_grace:
            side.silences += 1


def _look_up(session: Session, trial: Trial) -> None:
    """Which excursions had tubes in the box: only those are told to anybody."""
    known: dict[tuple[str, datetime, datetime | None], dict[str, int]] = {}
    for side in (trial.present, trial.draft):
        looked: list[Found] = []
        for place, one in enumerate(sorted(side.found, key=lambda each: each.excursion.start, reverse=True)):
            if place >= MOST_EXCURSIONS:
                trial.unlooked += 1
                looked.append(one)
                continue
            key = (one.box_code, one.excursion.start, one.excursion.end)
            if key not in known:
                exposed = exposed_tubes(session, *key)
                known[key] = {consignment.number: len(tubes) for consignment, tubes in exposed.items()}
            side.incidents |= {(one.box_code, number) for number in known[key]}
            looked.append(Found(one.box_code, one.device_code, one.excursion, sum(known[key].values())))
        side.found = looked
