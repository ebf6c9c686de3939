"""Excursions in the database, derived again in event time when readings arrive.

The unit is a probe's time in one box (a binding). An ordinary reading of a quiet probe costs one row update; any
other reads back to the last quiet instant (telemetry.rederive) and the difference to what is stored is written,
noted as a change and handed to logistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Executable, bindparam, or_, select
from sqlalchemy.orm import Session

from logistics.among import among
from logistics.db import UTCDateTime, insert_ignoring
from logistics.models import Box
from logistics.services import reference
from telemetry import profiles, store
from telemetry.excursion import Sample, all_clear, clear_since
from telemetry.models import Device, DeviceBinding, ProbeState
from telemetry.profile import COLD, PROFILES, Profile, Versions
from telemetry.rederive import rederive
from telemetry.standing import write


@dataclass(frozen=True, slots=True)
class Bound:
    """A probe's time in a box, with the versions of the profile that judge it."""

    device: str
    probe: int
    box_code: str
    since: datetime
    until: datetime | None
    versions: Versions


@cache
def _bindings() -> Executable:
    return (
        select(
            DeviceBinding.device_code,
            DeviceBinding.probe,
            DeviceBinding.box_code,
            DeviceBinding.bound_from,
            DeviceBinding.bound_to,
            Box.temp_class,
            Box.home_code,
            Device.interval_s,
            profiles.stamp().label("profiles_stamp"),
            reference.stamp().label("reference_stamp"),
        )
        .join(Box, Box.code == DeviceBinding.box_code)
        .join(Device, Device.code == DeviceBinding.device_code)
        .where(
            among(DeviceBinding.device_code, "devices"),
            or_(DeviceBinding.bound_to.is_(None), DeviceBinding.bound_to > bindparam("since", type_=UTCDateTime())),
        )
        .order_by(DeviceBinding.id)
    )


def bindings(session: Session, devices: Iterable[str], since: datetime) -> list[Bound]:
    """The bindings of these devices that reach beyond ``since``. One statement unless a profile was changed."""
    rows = session.execute(_bindings(), {"devices": sorted(devices), "since": since}).all()
    if not rows:
        return []
    catalogue = profiles.catalogue_of(session, rows[0].profiles_stamp, rows[0].reference_stamp)
    return [
        Bound(
            row.device_code, row.probe, row.box_code, row.bound_from, row.bound_to,
            catalogue.versions(row.temp_class, row.home_code, row.box_code, row.device_code, row.interval_s),
        )
        for row in rows
    ]  # fmt: skip


def profile_for(temp_class: str, interval_s: int) -> Profile:
    """The built-in profile of a temperature class, with the silence limit of the logger's own interval."""
    return PROFILES.get(temp_class, COLD).for_interval(timedelta(seconds=interval_s))


def evaluate(session: Session, new: Sequence[tuple[store.Key, float]], *, now: datetime) -> int:
    """Take newly stored readings into account. Returns how many excursions were raised or changed."""
    by_probe: dict[store.Probe, list[Sample]] = {}
    for (device, probe, at), temp_c in new:
        by_probe.setdefault((device, probe), []).append((at, temp_c))
    if not by_probe:
        return 0
    # Before the profiles are read: whoever writes a version waits for these rows (profiles.save).
    states = _locked_states(session, by_probe)
    earliest = min(sample[0] for samples in by_probe.values() for sample in samples)
    bound: dict[store.Probe, list[Bound]] = {}
    for binding in bindings(session, {device for device, _ in by_probe}, earliest):
        bound.setdefault((binding.device, binding.probe), []).append(binding)
    changed = 0
    for key in sorted(by_probe):
        samples = sorted(by_probe[key])
        changed += _evaluate_probe(session, states[key], samples, bound.get(key, []), now)
    _write_states(session, states)
    return changed


@dataclass(slots=True)
class _State:
    """A probe's row (telemetry.models.ProbeState) while it is evaluated; ``changed`` when it must be written."""

    newest_at: datetime
    newest_c: float | None
    quiet_since: datetime | None
    changed: bool = False

    def take(self, newest_at: datetime, newest_c: float | None, quiet_since: datetime | None) -> None:
        self.changed |= (newest_at, newest_c, quiet_since) != (self.newest_at, self.newest_c, self.quiet_since)
        self.newest_at, self.newest_c, self.quiet_since = newest_at, newest_c, quiet_since


def _locked_states(session: Session, by_probe: dict[store.Probe, list[Sample]]) -> dict[store.Probe, _State]:
    """The probes' rows, locked in key order until the transaction ends; made when they are new."""
    found = _states(session, by_probe)
    missing = sorted(by_probe.keys() - found.keys())
    if missing:
        rows = [
            {"device_code": device, "probe": probe, "newest_at": min(by_probe[device, probe])[0]}
            for device, probe in missing
        ]
        insert_ignoring(session, ProbeState.__table__, rows)
        found = _states(session, by_probe)
    return found


_STATE = ProbeState.__table__.c
_LOCK_STATES = (
    select(_STATE.device_code, _STATE.probe, _STATE.newest_at, _STATE.newest_c, _STATE.quiet_since)
    .where(among(_STATE.device_code, "devices"))
    .order_by(_STATE.device_code, _STATE.probe)
    .with_for_update()
)


def _states(session: Session, by_probe: Iterable[store.Probe]) -> dict[store.Probe, _State]:
    rows = session.execute(_LOCK_STATES, {"devices": sorted({device for device, _ in by_probe})}).all()
    return {(device, probe): _State(*rest) for device, probe, *rest in rows}


def _evaluate_probe(
    session: Session, state: _State, samples: Sequence[Sample], bound: Sequence[Bound], now: datetime
) -> int:
    """Ordinary readings change nothing: all clear, and none before the instant since when all is clear. They may come
    in any order after it, as they do when several processes share a probe's messages, unless a rule looks at the rate
    of change: then only at the end."""
    ordinary = (
        state.quiet_since is not None
        and samples[0][0] >= state.quiet_since
        and len(bound) == 1
        and bound[0].since <= state.quiet_since
        and (samples[0][0] > state.newest_at or not bound[0].versions.reach)
        and _all_clear(session, bound[0], samples)
    )
    changed, quiet = 0, ordinary
    if not ordinary:
        for binding in bound:
            inside = [at for at, _ in samples if binding.since <= at and (binding.until is None or at < binding.until)]
            if inside:
                more, quiet = _rederive(session, binding, inside[0], now)
                changed += more
    newest: tuple[datetime, float | None] = samples[-1]
    if newest[0] < state.newest_at:
        newest = (state.newest_at, state.newest_c)
    settled = newest[0] if quiet and len(bound) == 1 else None
    state.take(*newest, state.quiet_since if ordinary else settled)
    return changed


def _all_clear(session: Session, binding: Bound, samples: Sequence[Sample]) -> bool:
    """Whether the readings leave a quiet probe quiet. Only rates of change need to know what was before."""
    if not all_clear(samples, binding.versions):
        return False
    if not binding.versions.reach:
        return True
    first = samples[0][0]
    since = max(binding.since, first - binding.versions.reach)
    recent = store.series(session, binding.device, binding.probe, since, binding.until)
    return clear_since(recent, binding.versions, first)


_UPDATE_STATES = """
    UPDATE probe_state SET newest_at = new.newest_at, newest_c = new.newest_c, quiet_since = new.quiet_since
    FROM json_to_recordset(CAST(:rows AS json)) AS new(
        device_code text, probe smallint, newest_at timestamptz, newest_c double precision, quiet_since timestamptz
    )
    WHERE probe_state.device_code = new.device_code AND probe_state.probe = new.probe
"""


def _write_states(session: Session, states: dict[store.Probe, _State]) -> None:
    rows = [
        {
            "device_code": device,
            "probe": probe,
            "newest_at": state.newest_at,
            "newest_c": state.newest_c,
            "quiet_since": state.quiet_since,
        }
        for (device, probe), state in states.items()
        if state.changed
    ]
    store.update_rows(session, ProbeState.__table__, _UPDATE_STATES, rows)


def rederive_binding(session: Session, binding: Bound, earliest_new: datetime, *, now: datetime) -> int:
    """Derive a binding's excursions again from ``earliest_new`` on and write the difference."""
    return _rederive(session, binding, earliest_new, now)[0]


def _rederive(session: Session, binding: Bound, earliest_new: datetime, now: datetime) -> tuple[int, bool]:
    """(how many excursions changed, whether no run can be under way at the binding's newest reading)"""

    def load(lower: datetime) -> tuple[Sequence[Sample], bool]:
        start = max(lower, binding.since)
        series = store.series(session, binding.device, binding.probe, start, binding.until)
        before = None
        if start > binding.since:
            before = store.last_before(session, binding.device, binding.probe, start)
        return series, before is None or before[0] < binding.since

    again = rederive(load, binding.versions, earliest_new, now=now)
    return write(session, binding, again.since, again.excursions, now), again.quiet
