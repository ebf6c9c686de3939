"""What excursions and silences mean for tubes: who is told, and how long each tube can still be used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain.alert_kinds import severity
from logistics.domain.cold_chain import DeviceFact, ExcursionFact, SilenceFact, Stay, stays
from logistics.domain.custody import read_text, specimen_stream
from logistics.models import Alert, Box, Consignment, ConsignmentLine, CustodyEvent, Site, Specimen
from logistics.services import alerts, assessed, clocks, cold_loads

INGEST_BEHIND = "ingest_behind"


def excursion_changed(session: Session, fact: ExcursionFact, *, now: datetime) -> Alert | None:
    """Tell the laboratories whose tubes were in the box: one incident per box and consignment.

    A box without tubes raises nothing; a tube packed later into a box that is still too warm does, when the
    sweep hands the open excursion over again.
    """
    exposed = exposed_tubes(session, fact.box_code, fact.start, fact.end)
    clocks.say_again(session, (tube for tubes in exposed.values() for tube in tubes))
    assessed.facts_changed(session, fact, now=now)
    told = _tell(session, fact, exposed, now)
    return cold_loads.tell(session, fact, now=now) or told


def tubes_joined(session: Session, fact: ExcursionFact, *, now: datetime) -> Alert | None:
    """Hand an excursion over again because time passed: only tubes that no alert knows yet count."""
    if fact.withdrawn:
        return None
    news: dict[Consignment, list[int]] = {}
    for consignment, tubes in exposed_tubes(session, fact.box_code, fact.start, fact.end).items():
        known = session.scalars(select(Alert).where(Alert.incident_key == _key(fact, consignment))).first()
        if known is None or not set(tubes) <= set(known.specimen_ids):
            news[consignment] = tubes
    return _tell(session, fact, news, now)


def _key(fact: ExcursionFact, consignment: Consignment) -> str:
    return f"excursion:{fact.box_code}:{consignment.number}"


def _tell(
    session: Session, fact: ExcursionFact, exposed: Mapping[Consignment, list[int]], now: datetime
) -> Alert | None:
    raised: Alert | None = None
    for consignment, tubes in exposed.items():
        key = _key(fact, consignment)
        if fact.withdrawn:
            if not fact.box_open:
                alerts.end_alert(session, key, now=now, params={"withdrawn": True})
            continue
        # Over: the box is in its band again, or the tubes have been taken out of it.
        over = not fact.box_open or consignment.closed_at is not None
        known = session.scalars(select(Alert).where(Alert.incident_key == key)).first()
        if over and known is not None and set(tubes) <= set(known.specimen_ids):
            alerts.end_alert(session, key, now=now, params=fact.params())
            continue
        raised = alerts.raise_alert(
            session,
            kind="excursion",
            severity=fact.severity,
            site_code=consignment.destination_code,
            origin_code=consignment.origin_code,
            box_code=fact.box_code,
            consignment_number=consignment.number,
            incident_key=key,
            params={**fact.params(), "consignment": consignment.number, "tubes": len(tubes)},
            specimen_ids=tubes,
            occurred_at=fact.start,
            now=now,
        )
        if over:  # learned late, already over: told once, and ended
            alerts.end_alert(session, key, now=now, params=fact.params())
    return raised


def silence_changed(session: Session, fact: SilenceFact, *, now: datetime) -> list[Alert]:
    """Tell the laboratories whose tubes travel unwatched; one alert for each laboratory and silence."""
    prefix = f"silence:{fact.source}:"
    if fact.ended:
        for key in session.scalars(
            select(Alert.incident_key).where(Alert.incident_key.startswith(prefix), Alert.state == "open")
        ).all():
            alerts.end_alert(session, key, now=now)
        return []
    raised = []
    by_site: dict[str, list[tuple[Box, Consignment]]] = defaultdict(list)
    for box in session.scalars(select(Box).where(Box.code.in_(fact.box_codes)).order_by(Box.code)):
        consignment = session.get(Consignment, box.consignment_number) if box.consignment_number else None
        if consignment is not None and consignment.tube_count > 0:
            by_site[consignment.destination_code].append((box, consignment))
    for site_code, carried in sorted(by_site.items()):
        boxes = [box.code for box, _ in carried]
        single = carried[0][1] if len(carried) == 1 else None
        raised.append(
            alerts.raise_alert(
                session,
                kind="silence",
                severity="warning",
                site_code=site_code,
                origin_code=single.origin_code if single else None,
                box_code=boxes[0] if len(boxes) == 1 else None,
                consignment_number=single.number if single else None,
                incident_key=f"{prefix}{fact.since.isoformat()}:{site_code}",
                params={
                    "device": fact.source,
                    "box": ", ".join(boxes),
                    "boxes": len(boxes),
                    "since": fact.since.isoformat(),
                    "tubes": sum(consignment.tube_count for _, consignment in carried),
                },
                specimen_ids=sorted(session.scalars(select(Specimen.id).where(Specimen.box_code.in_(boxes))).all()),
                occurred_at=fact.since,
                now=now,
            )
        )
    return raised


def device_changed(session: Session, fact: DeviceFact, *, now: datetime) -> Alert | None:
    """Tell whose box it is, or the laboratory whose tubes are in it, that its logger is in trouble, or well again.

    An open lid or a probe that is off matters where tubes are; a battery is to be changed wherever the box stands.
    """
    if fact.ended:
        alerts.end_alert(session, fact.key, now=now, params={"end": fact.at.isoformat()})
        return None
    box = session.get(Box, fact.box_code) if fact.box_code else None
    if box is None:
        return None
    load = session.get(Consignment, box.consignment_number) if box.consignment_number else None
    if load is None and fact.kind != "battery":
        return None
    site_code = load.destination_code if load else box.home_code
    if site_code is None:
        return None
    return alerts.raise_alert(
        session,
        kind=fact.kind,
        severity="info" if load is None else "warning",
        site_code=site_code,
        origin_code=load.origin_code if load else None,
        box_code=box.code,
        consignment_number=load.number if load else None,
        incident_key=fact.key,
        params={**fact.params(), "consignment": load.number if load else None},
        specimen_ids=sorted(session.scalars(select(Specimen.id).where(Specimen.box_code == box.code)).all()),
        occurred_at=fact.since,
        now=now,
    )


def calibration_key(device_code: str, due_at: datetime) -> str:
    return f"calibration:{device_code}:{due_at.isoformat()}"


def calibration_due(
    session: Session, device_code: str, due_at: datetime, *, site_code: str | None, box_code: str | None, now: datetime
) -> Alert | None:
    """The certificate of a logger has run out or will soon: told to whose it is, else to the site at the top."""
    site_code = site_code or _root(session)
    if site_code is None:
        return None
    return alerts.raise_alert(
        session,
        kind="calibration",
        severity=severity("calibration"),
        site_code=site_code,
        box_code=box_code,
        incident_key=calibration_key(device_code, due_at),
        params={"device": device_code, "box": box_code, "due": due_at.isoformat()},
        occurred_at=now,
        now=now,
    )


def calibration_over(session: Session, incident_key: str, *, now: datetime) -> None:
    """The logger has a newer certificate, or is used no more."""
    alerts.end_alert(session, incident_key, now=now)


def _root(session: Session) -> str | None:
    return session.scalars(select(Site.code).where(Site.parent_code.is_(None)).order_by(Site.code)).first()


def ingest_changed(
    session: Session, *, behind: bool, since: datetime | None, waiting: int, now: datetime
) -> Alert | None:
    """Telemetry does not keep up, or does again: the laboratory at the top is told, once for each time."""
    standing = session.scalars(select(Alert).where(Alert.kind == INGEST_BEHIND, Alert.state == "open")).first()
    if not behind:
        if standing is not None:
            alerts.end_alert(session, standing.incident_key, now=now)
        return None
    root = _root(session)
    if standing is not None or root is None:
        return standing
    return alerts.raise_alert(
        session,
        kind=INGEST_BEHIND,
        severity=severity(INGEST_BEHIND),
        site_code=root,
        incident_key=f"{INGEST_BEHIND}:{now.isoformat()}",
        params={"since": (since or now).isoformat(), "waiting": waiting},
        occurred_at=since or now,
        now=now,
    )


def exposed_tubes(
    session: Session, box_code: str, start: datetime, end: datetime | None
) -> dict[Consignment, list[int]]:
    """The tubes that were in the box at some instant of start … end, by the consignment that carried them."""
    return {load: sorted(inside) for load, inside in exposed_stays(session, box_code, start, end).items()}


def exposed_stays(
    session: Session, box_code: str, start: datetime, end: datetime | None
) -> dict[Consignment, dict[int, list[Stay]]]:
    """The same, each tube with all its times in boxes, for those who ask where it was besides."""
    carried = select(Consignment).where(
        Consignment.box_code == box_code,
        or_(Consignment.closed_at.is_(None), Consignment.closed_at >= start),
    )
    if end is not None:
        carried = carried.where(Consignment.opened_at <= end)
    loads = session.scalars(carried.order_by(Consignment.opened_at)).all()
    on_lines: dict[str, list[int]] = defaultdict(list)
    lines = select(ConsignmentLine.consignment_number, ConsignmentLine.specimen_id)
    for number, specimen_id in session.execute(
        lines.where(ConsignmentLine.consignment_number.in_([load.number for load in loads]))
    ):
        on_lines[number].append(specimen_id)
    times = boxed_times(session, {one for tubes in on_lines.values() for one in tubes})
    found: dict[Consignment, dict[int, list[Stay]]] = {}
    for load in loads:
        inside = {
            one: times[one]
            for one in on_lines[load.number]
            if any(stay.box_code == box_code and stay.overlaps(start, end) for stay in times[one])
        }
        if inside:
            found[load] = inside
    return found


def boxed_times(session: Session, specimen_ids: Iterable[int]) -> dict[int, list[Stay]]:
    """When each tube was in which box, read from its custody log."""
    by_stream = {specimen_stream(specimen_id): specimen_id for specimen_id in specimen_ids}
    if not by_stream:
        return {}
    rows = session.execute(
        select(CustodyEvent.stream, CustodyEvent.body)
        .where(CustodyEvent.stream.in_(by_stream))
        .order_by(CustodyEvent.stream, CustodyEvent.seq)
    ).all()
    events = defaultdict(list)
    for stream, body in rows:
        events[by_stream[stream]].append(read_text(body))
    return {specimen_id: stays(events[specimen_id]) for specimen_id in by_stream.values()}
