"""Forecasts of the boxes under way: brought up to date by the sweep as readings come, kept as one row a box.

The ingest does nothing for it. The sweep looks at boxes that carry tubes and whose logger has spoken since it last
looked: one statement gives the last two hours of all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from logistics.domain.cold_chain import ForecastFact
from logistics.models import Box
from logistics.services import cold_forecast
from logistics.services.cold_forecast import UnderWay
from telemetry import profiles, queries
from telemetry.excursion import Sample
from telemetry.forecast import WINDOW, Crossing, State, outlook
from telemetry.models import BoxForecast, Device, DeviceBinding, ExcursionRow, ProbeState, ReadingRow
from telemetry.profile import Profile, Side

_Probe = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Watched:
    probe: _Probe
    newest_at: datetime
    profile: Profile


def update(session: Session, *, now: datetime) -> int:
    """Look at every box under way that has spoken since. Returns how many warnings stand."""
    under_way = cold_forecast.under_way(session)
    rows = {row.box_code: row for row in session.scalars(select(BoxForecast))}
    watched = _watched(session, under_way, now)
    fresh = {
        code: one
        for code, one in watched.items()
        if code not in rows
        or (rows[code].device_code, rows[code].probe, rows[code].newest_at) != (*one.probe, one.newest_at)
    }
    series = _series(session, fresh.values())
    outside = set(session.scalars(select(ExcursionRow.box_code).where(ExcursionRow.state == "open")))
    for code, row in rows.items():
        silent = code in watched and now - watched[code].newest_at > watched[code].profile.silence_after
        if code not in watched or silent or code in outside:
            _over(session, row, now)
    for code, one in fresh.items():
        if code not in outside and now - one.newest_at <= one.profile.silence_after:
            _look(session, rows.get(code), under_way[code], one, series[one.probe], now)
    session.flush()
    return sum(1 for row in session.scalars(select(BoxForecast)) if row.warned)


def standing(session: Session, box_codes: Iterable[str]) -> dict[str, BoxForecast]:
    """The warnings that stand, by box."""
    query = select(BoxForecast).where(BoxForecast.box_code.in_(list(box_codes)), BoxForecast.warned)
    return {row.box_code: row for row in session.scalars(query)}


def _watched(session: Session, under_way: dict[str, UnderWay], now: datetime) -> dict[str, _Watched]:
    """The first probe of each box that has spoken since it was put in."""
    query = queries.speaking(
        sorted(under_way), DeviceBinding, Device.interval_s, Box.temp_class, Box.home_code, ProbeState.newest_at
    )
    catalogue = profiles.catalogue(session)
    found: dict[str, _Watched] = {}
    for binding, interval_s, temp_class, home_code, newest_at in session.execute(query):
        versions = catalogue.versions(temp_class, home_code, binding.box_code, binding.device_code, interval_s)
        probe = (binding.device_code, binding.probe)
        found[binding.box_code] = _Watched(probe, newest_at, versions.at(now))
    return found


def _series(session: Session, watched: Iterable[_Watched]) -> dict[_Probe, list[Sample]]:
    """What the forecast looks back on, of each probe."""
    found: dict[_Probe, list[Sample]] = defaultdict(list)
    wanted = [
        and_(
            ReadingRow.device_code == one.probe[0],
            ReadingRow.probe == one.probe[1],
            ReadingRow.at >= one.newest_at - WINDOW,
            ReadingRow.at <= one.newest_at,
        )
        for one in watched
    ]
    for begin in range(0, len(wanted), 200):
        query = select(ReadingRow.device_code, ReadingRow.probe, ReadingRow.at, ReadingRow.temp_c)
        query = query.where(or_(*wanted[begin : begin + 200])).order_by(ReadingRow.at)
        for device, probe, at, temp_c in session.execute(query):
            found[device, probe].append((at, temp_c))
    return found


def _look(
    session: Session, row: BoxForecast | None, way: UnderWay, one: _Watched, series: Sequence[Sample], now: datetime
) -> None:
    # A box that is overdue arrives nobody knows when.
    until = way.expected_at if way.expected_at is not None and way.expected_at > one.newest_at else None
    crossing = outlook(series, one.profile.low_c, one.profile.high_c, until=until)
    if row is None:
        row = BoxForecast(box_code=way.box_code, warned=False)
        session.add(row)
    before = State(row.warned, row.contrary_since)
    state = before.after(one.newest_at, crossing.chance if crossing is not None else 0.0)
    row.device_code, row.probe = one.probe
    row.newest_at, row.computed_at = one.newest_at, now
    row.warned, row.contrary_since = state.warned, state.contrary_since
    _keep(row, crossing)
    if state.warned and crossing is not None:
        cold_forecast.forecast_changed(session, _fact(way, row, crossing), now=now)
    elif before.warned and not state.warned:
        cold_forecast.forecast_over(session, row.box_code, now=now)


def _keep(row: BoxForecast, crossing: Crossing | None) -> None:
    if crossing is None:
        row.chance = 0.0
        if not row.warned:
            row.side = row.limit_c = row.crosses_at = row.error_s = None
        return
    row.side, row.limit_c, row.chance = crossing.side.value, crossing.limit_c, crossing.chance
    row.crosses_at, row.error_s = crossing.at, crossing.error.total_seconds()


def _fact(way: UnderWay, row: BoxForecast, crossing: Crossing) -> ForecastFact:
    return ForecastFact(
        box_code=way.box_code,
        consignment_number=way.number,
        device_code=row.device_code,
        side="upper" if crossing.side is Side.UPPER else "lower",
        limit_c=crossing.limit_c,
        at=crossing.at,
        error=max(timedelta(minutes=1), crossing.error),
        expected_at=way.expected_at,
    )


def _over(session: Session, row: BoxForecast, now: datetime) -> None:
    """The box has arrived, left its band, or fell silent: nothing is foretold any more."""
    if row.warned:
        cold_forecast.forecast_over(session, row.box_code, now=now)
    row.warned, row.contrary_since, row.chance = False, None, 0.0
    row.side = row.limit_c = row.crosses_at = row.error_s = None
