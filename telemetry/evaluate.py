"""Excursions in the database, derived again in event time when readings arrive.

The unit is a probe's time in one box (a binding). An ordinary reading of a quiet probe costs one row update; any
other reads back to the last quiet instant (telemetry.rederive) and the difference to what is stored is written,
noted as a change and handed to logistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from logistics.domain.cold_chain import ExcursionFact
from logistics.models import Box
from logistics.services import cold_chain
from telemetry import store
from telemetry.excursion import Excursion, Sample, all_clear
from telemetry.models import Device, DeviceBinding, ExcursionChange, ExcursionRow, ProbeState
from telemetry.profile import COLD, PROFILES, Profile
from telemetry.rederive import rederive
from telemetry.silence import silence_limit

# While an excursion lasts, logistics hears again when it is worse by this much.
_WORSE_C = 1.0


@dataclass(frozen=True, slots=True)
class Bound:
    """A probe's time in a box, with the profile that judges it."""

    device: str
    probe: int
    box_code: str
    since: datetime
    until: datetime | None
    profile: Profile


def bindings(session: Session, devices: Iterable[str], since: datetime) -> list[Bound]:
    """The bindings of these devices that reach beyond ``since``."""
    rows = session.execute(
        select(
            DeviceBinding.device_code,
            DeviceBinding.probe,
            DeviceBinding.box_code,
            DeviceBinding.bound_from,
            DeviceBinding.bound_to,
            Box.temp_class,
            Device.interval_s,
        )
        .join(Box, Box.code == DeviceBinding.box_code)
        .join(Device, Device.code == DeviceBinding.device_code)
        .where(
            DeviceBinding.device_code.in_(sorted(devices)),
            or_(DeviceBinding.bound_to.is_(None), DeviceBinding.bound_to > since),
        )
        .order_by(DeviceBinding.id)
    ).all()
    return [
        Bound(device, probe, box_code, since, until, profile_for(temp_class, interval_s))
        for device, probe, box_code, since, until, temp_class, interval_s in rows
    ]


def profile_for(temp_class: str, interval_s: int) -> Profile:
    """The default profile of a temperature class, with the silence limit of the logger's own interval."""
    interval = timedelta(seconds=interval_s)
    return replace(PROFILES.get(temp_class, COLD), interval=interval, silence_after=silence_limit(interval))


def evaluate(session: Session, new: Sequence[tuple[store.Key, float]], *, now: datetime) -> int:
    """Take newly stored readings into account. Returns how many excursions were raised or changed."""
    by_probe: dict[store.Probe, list[Sample]] = {}
    for (device, probe, at), temp_c in new:
        by_probe.setdefault((device, probe), []).append((at, temp_c))
    if not by_probe:
        return 0
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


def _states(session: Session, by_probe: Iterable[store.Probe]) -> dict[store.Probe, _State]:
    table = ProbeState.__table__.c
    wanted = (
        select(table.device_code, table.probe, table.newest_at, table.newest_c, table.quiet_since)
        .where(table.device_code.in_(sorted({device for device, _ in by_probe})))
        .order_by(table.device_code, table.probe)
        .with_for_update()
    )
    return {(device, probe): _State(*rest) for device, probe, *rest in session.execute(wanted)}


def _evaluate_probe(
    session: Session, state: _State, samples: Sequence[Sample], bound: Sequence[Bound], now: datetime
) -> int:
    """Ordinary readings change nothing: all clear, and none before the stretch that is known to be clear. They may
    come in any order within it, as they do when several processes share a probe's messages."""
    ordinary = (
        state.quiet_since is not None
        and samples[0][0] >= state.quiet_since
        and len(bound) == 1
        and bound[0].since <= state.quiet_since
        and bound[0].profile.clear_delay == timedelta(0)
        and _all_clear(samples, bound[0].profile)
    )
    changed = 0
    if not ordinary:
        for binding in bound:
            inside = [at for at, _ in samples if binding.since <= at and (binding.until is None or at < binding.until)]
            if inside:
                changed += rederive_binding(session, binding, inside[0], now=now)
    _bring_up_to_date(state, samples, bound, ordinary)
    return changed


def _all_clear(samples: Sequence[Sample], profile: Profile) -> bool:
    """What lies between two temperatures that are all clear is all clear, too."""
    temps = [temp_c for _, temp_c in samples]
    return all_clear(min(temps), profile) and all_clear(max(temps), profile)


def _bring_up_to_date(state: _State, samples: Sequence[Sample], bound: Sequence[Bound], ordinary: bool) -> None:
    newest_at, newest_c = samples[-1]
    if newest_at < state.newest_at:
        newest_at, newest_c = state.newest_at, state.newest_c  # type: ignore[assignment]
        # Something in the clear stretch was not: what is known to be clear begins anew at its end.
        quiet_since = newest_at if state.quiet_since and samples[-1][0] >= state.quiet_since else state.quiet_since
    else:
        quiet_since = None
        if len(bound) == 1:
            for at, temp_c in reversed(samples):
                if at < state.newest_at or not all_clear(temp_c, bound[0].profile):
                    break
                quiet_since = at
    state.take(newest_at, newest_c, state.quiet_since if ordinary else quiet_since)


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

    def load(lower: datetime) -> tuple[Sequence[Sample], bool]:
        start = max(lower, binding.since)
        series = store.series(session, binding.device, binding.probe, start, binding.until)
        before = None
        if start > binding.since:
            before = store.last_before(session, binding.device, binding.probe, start)
        return series, before is None or before[0] < binding.since

    again = rederive(load, binding.profile, earliest_new, now=now)
    return _write(session, binding, again.since, again.excursions, now)


def _write(session: Session, binding: Bound, since: datetime | None, found: Sequence[Excursion], now: datetime) -> int:
    stored = _standing(session, binding, since)
    pairs, raised, withdrawn = _match(stored, found)
    told: list[ExcursionRow] = []
    for row in withdrawn:
        row.state, row.updated_at, row.revision = "withdrawn", now, row.revision + 1
        session.add(ExcursionChange(excursion_id=row.id, at=now, what="withdrawn", detail={}))
        told.append(row)
    session.flush()  # frees the withdrawn rows' keys before others take them
    for row, excursion in pairs:
        what, worth_telling = _update(row, excursion, binding, now)
        if what in ("moved", "ended", "reopened"):
            session.add(ExcursionChange(excursion_id=row.id, at=now, what=what, detail=_detail(excursion)))
        if worth_telling:
            told.append(row)
    for excursion in raised:
        row = _new(binding, excursion, now)
        session.add(row)
        session.flush()
        session.add(ExcursionChange(excursion_id=row.id, at=now, what="raised", detail=_detail(excursion)))
        told.append(row)
    session.flush()
    if told:
        box_open = is_open(session, binding.box_code)
        for row in told:
            cold_chain.excursion_changed(session, fact(row, box_open), now=now)
    return len(told)


def _standing(session: Session, binding: Bound, since: datetime | None) -> list[ExcursionRow]:
    wanted = select(ExcursionRow).where(
        ExcursionRow.device_code == binding.device,
        ExcursionRow.probe == binding.probe,
        ExcursionRow.box_code == binding.box_code,
        ExcursionRow.state != "withdrawn",
        ExcursionRow.start_at >= (since if since is not None and since > binding.since else binding.since),
    )
    if binding.until is not None:
        wanted = wanted.where(ExcursionRow.start_at < binding.until)
    return list(session.scalars(wanted.order_by(ExcursionRow.start_at)).all())


def _match(
    stored: Sequence[ExcursionRow], found: Sequence[Excursion]
) -> tuple[list[tuple[ExcursionRow, Excursion]], list[Excursion], list[ExcursionRow]]:
    """Pair what is stored with what is found: same rule and start, else same rule and overlapping in time.

    So an excursion that late readings moved, merged or split keeps its row, and with it its acknowledgement.
    """
    left = list(stored)
    pairs: list[tuple[ExcursionRow, Excursion]] = []
    rest: list[Excursion] = []
    for excursion in found:
        same = [row for row in left if (row.rule_code, row.start_at) == excursion.key]
        if same:
            pairs.append((same[0], excursion))
            left.remove(same[0])
        else:
            rest.append(excursion)
    raised: list[Excursion] = []
    for excursion in rest:
        near = [row for row in left if row.rule_code == excursion.rule.code and _overlap(row, excursion)]
        if near:
            pairs.append((near[0], excursion))
            left.remove(near[0])
        else:
            raised.append(excursion)
    return pairs, raised, left


def _overlap(row: ExcursionRow, excursion: Excursion) -> bool:
    return row.start_at <= (excursion.end or excursion.last_at) and excursion.start <= (row.end_at or row.last_at)


def _update(row: ExcursionRow, excursion: Excursion, binding: Bound, now: datetime) -> tuple[str, bool]:
    """Bring a row up to date. Returns what happened and whether logistics should hear of it."""
    values = _values(excursion)
    if all(getattr(row, name) == value for name, value in values.items()):
        return "same", False
    if excursion.end is None:
        what = "reopened" if row.end_at is not None else "grew"
    else:
        what = "ended" if row.end_at is None else "grew"
    if row.start_at != excursion.start:
        what = "moved"
    extreme = excursion.rule.excess_c(excursion.max_c if excursion.rule.side == "upper" else excursion.min_c)
    before = excursion.rule.excess_c(row.max_c if excursion.rule.side == "upper" else row.min_c)
    worse = extreme // _WORSE_C > before // _WORSE_C
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at, row.revision = now, row.revision + 1
    return what, worse or what != "grew"


def _values(excursion: Excursion) -> dict[str, Any]:
    return {
        "start_at": excursion.start,
        "triggered_at": excursion.triggered_at,
        "last_at": excursion.last_at,
        "end_at": excursion.end,
        "ended_by": excursion.ended_by.value if excursion.ended_by else None,
        "state": "open" if excursion.end is None else "ended",
        "min_c": excursion.min_c,
        "max_c": excursion.max_c,
        "mean_c": excursion.mean_c,
        "minutes": excursion.minutes,
        "area_c_min": excursion.area_c_min,
        "reading_count": excursion.count,
        "gap_count": excursion.gaps,
    }


def _new(binding: Bound, excursion: Excursion, now: datetime) -> ExcursionRow:
    rule = excursion.rule
    return ExcursionRow(
        box_code=binding.box_code,
        device_code=binding.device,
        probe=binding.probe,
        rule_code=rule.code,
        kind=rule.kind.value,
        side=rule.side.value,
        limit_c=rule.limit_c,
        profile=binding.profile.snapshot(),
        recorded_at=now,
        updated_at=now,
        **_values(excursion),
    )


def _detail(excursion: Excursion) -> dict[str, Any]:
    return {
        "start": excursion.start.isoformat(),
        "end": excursion.end.isoformat() if excursion.end else None,
        "min_c": excursion.min_c,
        "max_c": excursion.max_c,
        "minutes": round(excursion.minutes, 1),
    }


def is_open(session: Session, box_code: str) -> bool:
    """Whether some excursion of the box is open."""
    found = session.scalar(
        select(ExcursionRow.id).where(ExcursionRow.box_code == box_code, ExcursionRow.state == "open").limit(1)
    )
    return found is not None


def fact(row: ExcursionRow, box_open: bool) -> ExcursionFact:
    """The row as logistics hears of it."""
    return ExcursionFact(
        excursion_id=row.id,
        box_code=row.box_code,
        device_code=row.device_code,
        probe=row.probe,
        rule_code=row.rule_code,
        kind=row.kind,
        side=row.side,
        limit_c=row.limit_c,
        start=row.start_at,
        last_at=row.last_at,
        end=row.end_at,
        min_c=row.min_c,
        max_c=row.max_c,
        minutes=row.minutes,
        box_open=box_open,
        withdrawn=row.state == "withdrawn",
    )
