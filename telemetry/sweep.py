"""What nobody's message brings about: silence, runs ended by it, tubes that joined an excursion, use-by times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.domain.cold_chain import SilenceFact
from logistics.domain.stability import Exposure
from logistics.models import Box, Specimen
from logistics.services import clocks, cold_chain
from telemetry import profiles, tube_clock
from telemetry.evaluate import bindings, rederive_binding
from telemetry.models import Device, DeviceBinding, ExcursionRow, ProbeState
from telemetry.profile import Profile
from telemetry.silence import Watched, group, silence_limit, silent_since
from telemetry.standing import fact, is_open
from telemetry.status import ingest_status

PART = 40
BEHIND_GRACE = timedelta(minutes=1)
"""A restart or a slow minute of the database is no incident."""
# A phone may tell of a packed tube this long after; until then ended excursions are matched with tubes again.
LATE_TUBES = timedelta(hours=6)


def silence(session: Session, *, now: datetime) -> int:
    """Mark loggers that fell silent or speak again and tell logistics. Returns how many are silent."""
    rows = session.execute(
        select(Device, DeviceBinding, Box.temp_class, Box.home_code)
        .join(DeviceBinding, DeviceBinding.device_code == Device.code)
        .join(Box, Box.code == DeviceBinding.box_code)
        .where(Device.active, DeviceBinding.bound_to.is_(None))
        .order_by(Device.code, DeviceBinding.probe)
    ).all()
    devices: dict[str, Device] = {}
    boxes: dict[str, list[str]] = {}
    since: dict[str, datetime] = {}
    judging: dict[str, Profile] = {}
    catalogue = profiles.catalogue(session)
    for device, binding, temp_class, home_code in rows:
        versions = catalogue.versions(temp_class, home_code, binding.box_code, device.code, device.interval_s)
        judging.setdefault(device.code, versions.at(now))
        devices[device.code] = device
        boxes.setdefault(device.code, []).append(binding.box_code)
        since[device.code] = min(since.get(device.code, binding.bound_from), binding.bound_from)
    watched = [_watched(device, since[code], judging[code]) for code, device in devices.items()]
    silent = {logger.device: silent_since(logger, now=now) for logger in watched}
    for code, began in silent.items():
        if devices[code].silent_since != began:
            devices[code].silent_since = began
    spoken = [code for code, began in silent.items() if began is None and devices[code].silence_alerted]
    for code in spoken:
        _speaks_again(session, devices, code, now)
    carrying = set(session.scalars(select(Box.code).where(Box.consignment_number.is_not(None))))
    for found in group(watched, now=now):
        codes = tuple(sorted({box for code in found.devices for box in boxes[code]} & carrying))
        if not codes:
            continue  # nothing travels unwatched
        for code in found.devices:
            devices[code].silence_alerted = True
        cold_chain.silence_changed(session, SilenceFact(found.devices, codes, found.gateway, found.since), now=now)
    return sum(1 for began in silent.values() if began is not None)


def _watched(device: Device, bound_from: datetime, profile: Profile) -> Watched:
    since = max(device.commissioned_at or bound_from, bound_from)
    last_at = device.last_reading_at
    if last_at is not None and last_at < since:
        last_at = None  # what it said before it was in this box is not about this box
    return Watched(
        device.code, profile.interval, last_at, since, device.gateway, profile.silence_after, profile.silence_grace
    )


def _speaks_again(session: Session, devices: dict[str, Device], code: str, now: datetime) -> None:
    device = devices[code]
    device.silence_alerted = False
    cold_chain.silence_changed(session, SilenceFact((code,), (), None, now, ended=True), now=now)
    others = [other for other in devices.values() if other.gateway == device.gateway and other.silent_since]
    if device.gateway is not None and not others:
        cold_chain.silence_changed(session, SilenceFact((code,), (), device.gateway, now, ended=True), now=now)


def ingest(session: Session, *, now: datetime) -> str:
    """Tell when the ingest has not kept up for a while; leases and heartbeats are real time. Returns its state."""
    status = ingest_status(session)
    late = wall_now() - status.since if status.since is not None else timedelta(0)
    lasting = status.behind and late >= BEHIND_GRACE
    if lasting or not status.behind:
        cold_chain.ingest_changed(session, behind=lasting, since=now - late, waiting=status.waiting, now=now)
    return status.state


def open_runs(session: Session, *, now: datetime) -> int:
    """End runs whose logger fell silent, and tell logistics of tubes that joined since. Returns how many are open."""
    recent = session.scalars(
        select(ExcursionRow)
        .where(
            ExcursionRow.state != "withdrawn",
            or_(ExcursionRow.end_at.is_(None), ExcursionRow.end_at >= now - LATE_TUBES),
        )
        .order_by(ExcursionRow.device_code, ExcursionRow.start_at)
    ).all()
    for row in recent:
        if row.end_at is None and now - row.last_at > timedelta(seconds=row.profile["silence_after_s"]):
            for bound in bindings(session, [row.device_code], row.start_at):
                if (bound.probe, bound.box_code) == (row.probe, row.box_code):
                    rederive_binding(session, bound, row.start_at, now=now)
        cold_chain.tubes_joined(session, fact(row, is_open(session, row.box_code)), now=now)
    return sum(1 for row in recent if row.end_at is None)


def clocks_due(session: Session, *, now: datetime) -> list[list[tuple[int, datetime, str]]]:
    """The tubes whose use-by time is to be worked out in this round, in parts that make short transactions."""
    found = clocks.due(session, _boxes_c(session, now), now=now)
    return [found[begin : begin + PART] for begin in range(0, len(found), PART)]


def _boxes_c(session: Session, now: datetime) -> dict[str, float | None]:
    """How warm each box with a logger is now; None where the logger is silent."""
    rows = session.execute(
        select(DeviceBinding.box_code, ProbeState.newest_at, ProbeState.newest_c, Device.interval_s)
        .join(Device, Device.code == DeviceBinding.device_code)
        .outerjoin(
            ProbeState,
            and_(ProbeState.device_code == DeviceBinding.device_code, ProbeState.probe == DeviceBinding.probe),
        )
        .where(DeviceBinding.bound_to.is_(None))
        .order_by(DeviceBinding.bound_from.desc(), DeviceBinding.probe.desc())
    ).all()
    found: dict[str, float | None] = {}
    for box, newest_at, newest_c, interval_s in rows:
        speaks = newest_at is not None and now - newest_at <= silence_limit(timedelta(seconds=interval_s))
        found[box] = newest_c if speaks else found.get(box)
    return found


def use_by(session: Session, specimen_ids: Sequence[int], *, now: datetime) -> int:
    """Write the use-by time and verdict of these tubes from where they have been. Returns how many changed."""
    rows = session.execute(
        select(Specimen.id, Specimen.collected_at, Specimen.temp_class).where(Specimen.id.in_(specimen_ids))
    ).all()
    part = [(tube, at, temp_class) for tube, at, temp_class in rows if at is not None]
    exposures, here_c = exposed(session, part, now=now)
    return clocks.refresh(session, exposures, here_c, now=now)


def exposed(
    session: Session, part: Sequence[tuple[int, datetime, str]], *, now: datetime
) -> tuple[dict[int, Exposure], dict[int, float | None]]:
    """Where these tubes have been since collection, and how warm each is now where a logger tells. Only reads."""
    return tube_clock.exposures(session, {tube: (at, temp_class) for tube, at, temp_class in part}, now=now)
