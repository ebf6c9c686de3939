"""What goes down with the rounds, as pages show it: what waits, what is under way, where the boxes are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, joinedload

from logistics.domain.access import Scope, subtree
from logistics.domain.custody import Event, item_stream, read_text
from logistics.errors import NotFound
from logistics.models import (
    BlindKey,
    Box,
    Consignment,
    CustodyEvent,
    Handover,
    Item,
    ItemLine,
    ManifestVersion,
    Plan,
    Site,
    Stop,
    User,
)
from logistics.models.network import EXTERNAL, TOWNSHIP
from logistics.queries.worklists import day_start
from logistics.services import network
from logistics.services.items import RETURN
from logistics.services.orders import local_day

IDLE_AFTER = timedelta(days=2)
"""An empty box that stands away from home longer than this is called overdue."""
MAX_ROWS = 500


@dataclass(frozen=True, slots=True)
class Goal:
    """A site that loads go to, and when the round stops there next today."""

    site: Site
    courier: str | None
    arrive_at: datetime | None


def goals(session: Session, site_code: str, *, now: datetime) -> list[Goal]:
    """The sites below a laboratory, those that the round still visits today first, in the order of their stops."""
    below = set(subtree(site_code, network.parents(session))) - {site_code}
    query = select(Site).where(Site.code.in_(sorted(below)), Site.active, Site.tier != EXTERNAL)
    stops = next_stops(session, below, now=now)
    found = [Goal(site, *_next(stops.get(site.code))) for site in session.scalars(query.order_by(Site.code))]
    return sorted(found, key=lambda goal: (goal.arrive_at is None, goal.arrive_at or now, goal.site.code))


def _next(stop: Stop | None) -> tuple[str | None, datetime | None]:
    return (stop.courier, stop.eta_at or stop.arrive_at) if stop is not None else (None, None)


def next_stops(session: Session, codes: set[str], *, now: datetime) -> dict[str, Stop]:
    """The next planned stop of today at each of these sites."""
    query = (
        select(Stop)
        .join(Plan, Plan.id == Stop.plan_id)
        .where(Plan.state == "published", Plan.day == local_day(now).isoformat())
        .where(Stop.state == "planned", Stop.kind != "start", Stop.site_code.in_(sorted(codes)))
        .order_by(Stop.arrive_at)
    )
    found: dict[str, Stop] = {}
    for stop in session.scalars(query):
        found.setdefault(stop.site_code, stop)
    return found


def to_pack(session: Session, site_code: str) -> list[Item]:
    """Items that stand at the site unboxed and go on: registered here, or received for a site further down."""
    query = select(Item).where(
        Item.location_code == site_code,
        Item.box_code.is_(None),
        Item.destination_code != site_code,
        Item.state.in_(("registered", "received")),
    )
    return list(session.scalars(query.order_by(Item.destination_code, Item.number).limit(MAX_ROWS)))


def carriers(session: Session, site_code: str) -> list[Box]:
    """Boxes and bags that stand empty at the site, bags first."""
    query = select(Box).where(Box.active, Box.consignment_number.is_(None), _stands_at(site_code))
    return list(session.scalars(query.order_by(Box.kind, Box.temp_class, Box.code)))


def _stands_at(site_code: str) -> ColumnElement[bool]:
    unknown = and_(Box.location_code.is_(None), Box.holder.is_(None), Box.home_code == site_code)
    return or_(Box.location_code == site_code, unknown)


@dataclass(frozen=True, slots=True)
class Load:
    """A return consignment with what is inside and who signed for it."""

    consignment: Consignment
    lines: Sequence[tuple[ItemLine, Item]]
    handovers: Sequence[Handover]
    box: Box

    @property
    def open_lines(self) -> int:
        return sum(line.outcome == "expected" for line, _ in self.lines)


def outgoing(session: Session, site_code: str, *, now: datetime) -> list[Load]:
    """Return loads of a site that are being packed, wait, are under way, or ended today."""
    return _loads(session, Consignment.origin_code == site_code, now)


def coming(session: Session, site_code: str, *, now: datetime) -> list[Load]:
    """Return loads for a site: what stands before the door first, then by expected time."""
    found = _loads(session, and_(Consignment.destination_code == site_code, Consignment.state != "open"), now)
    rank = {"delivered": 0, "arrived": 1, "in_transit": 2, "waiting": 3, "sealed": 4, "closed": 5}
    return sorted(found, key=lambda load: rank.get(load.consignment.state, 6))


def _loads(session: Session, which: ColumnElement[bool], now: datetime) -> list[Load]:
    query = (
        select(Consignment)
        .where(Consignment.kind == RETURN, which)
        .where(or_(Consignment.state.not_in(("closed", "cancelled")), Consignment.closed_at >= day_start(now)))
        .where(Consignment.state != "cancelled")
        .options(joinedload(Consignment.origin), joinedload(Consignment.destination))
        .order_by(Consignment.opened_at.desc(), Consignment.number)
        .limit(MAX_ROWS)
    )
    return loads_of(session, list(session.scalars(query)))


def loads_of(session: Session, consignments: Sequence[Consignment]) -> list[Load]:
    numbers = [one.number for one in consignments]
    lines: dict[str, list[tuple[ItemLine, Item]]] = {}
    rows = select(ItemLine, Item).join(Item, Item.number == ItemLine.item_number)
    for line, item in session.execute(rows.where(ItemLine.consignment_number.in_(numbers)).order_by(Item.number)):
        lines.setdefault(line.consignment_number, []).append((line, item))
    signed: dict[str, list[Handover]] = {}
    handovers = select(Handover).where(Handover.consignment_number.in_(numbers)).order_by(Handover.occurred_at)
    for handover in session.scalars(handovers):
        signed.setdefault(handover.consignment_number, []).append(handover)
    codes = {one.box_code for one in consignments}
    boxes = {box.code: box for box in session.scalars(select(Box).where(Box.code.in_(codes)))}
    return [
        Load(one, lines.get(one.number, []), signed.get(one.number, []), boxes[one.box_code]) for one in consignments
    ]


def load(session: Session, scope: Scope, number: str) -> Load:
    """Raises NotFound('consignment_unknown') unless it is a return load of a site in scope."""
    one = session.get(Consignment, number)
    if one is None or one.kind != RETURN or not scope.covers(one.origin_code, one.destination_code):
        raise NotFound("consignment_unknown", field="consignment", consignment=number)
    return loads_of(session, [one])[0]


def item(session: Session, scope: Scope, number: str) -> Item:
    """Raises NotFound('item_unknown') unless it concerns a site in scope."""
    found = session.get(Item, number)
    if found is None or not scope.covers(found.origin_code, found.destination_code, found.location_code):
        raise NotFound("item_unknown", field="item", item=number[:40])
    return found


def item_events(session: Session, number: str) -> list[Event]:
    query = select(CustodyEvent.body).where(CustodyEvent.stream == item_stream(number)).order_by(CustodyEvent.seq)
    return [read_text(body) for body in session.scalars(query)]


def blind_key(session: Session, found: Item, user: User) -> BlindKey | None:
    """What a blind sample is; only for a manager of the laboratory that made it."""
    if user.role != "manager":
        return None
    query = select(BlindKey).where(BlindKey.item_number == found.number, BlindKey.site_code == user.site_code)
    return session.scalars(query).first()


def manifest(session: Session, number: str) -> ManifestVersion | None:
    """The list as it was locked last."""
    query = select(ManifestVersion).where(ManifestVersion.consignment_number == number)
    return session.scalars(query.order_by(ManifestVersion.version.desc())).first()


# --- where the boxes are ----------------------------------------------------------------------------------


@dataclass
class Balance:
    """The boxes of one site. ``home``: they belong here; ``here``: they stand here now, ``foreign`` of them others'."""

    site: Site
    home: int = 0
    here: int = 0
    foreign: int = 0
    road: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)  # its own boxes, by the site where they stand

    @property
    def difference(self) -> int:
        """Boxes that stand here minus those that belong here."""
        return self.here - self.home


@dataclass(frozen=True, slots=True)
class Astray:
    """An empty box that stands away from home, and since when."""

    box: Box
    since: datetime | None

    def overdue(self, now: datetime) -> bool:
        return self.since is not None and now - self.since > IDLE_AFTER


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every box in scope: per site, and those that should go home."""

    balances: Sequence[Balance]
    astray: Sequence[Astray]
    on_the_road: Sequence[Box]


def fleet(session: Session, scope: Scope) -> Fleet:
    """Where the boxes of the sites in scope are."""
    boxes = [
        box
        for box in session.scalars(select(Box).where(Box.active).order_by(Box.code))
        if scope.covers(box.home_code, box.location_code)
    ]
    sites = {site.code: site for site in session.scalars(select(Site))}
    found: dict[str, Balance] = {}

    def of(code: str) -> Balance:
        return found.setdefault(code, Balance(sites[code]))

    for box in boxes:
        of(box.home_code).home += 1
        here = box.location_code or (box.home_code if box.holder is None else None)
        if here is None:
            of(box.home_code).road += 1
            continue
        place = of(here)
        place.here += 1
        if here != box.home_code:
            place.foreign += 1
            of(box.home_code).elsewhere[here] += 1
    since = _idle_since(session, [box.code for box in boxes])
    astray = [
        Astray(box, since.get(box.code))
        for box in boxes
        if box.consignment_number is None and box.location_code not in {None, box.home_code}
    ]
    astray.sort(key=lambda one: (one.since is None, one.since.timestamp() if one.since else 0.0, one.box.code))
    ranked = sorted(found.values(), key=lambda one: (one.site.tier == TOWNSHIP, one.site.code))
    return Fleet(ranked, astray, [box for box in boxes if box.location_code is None and box.holder is not None])


def _idle_since(session: Session, codes: Sequence[str]) -> dict[str, datetime]:
    """When the last consignment of each box ended."""
    query = select(Consignment.box_code, Consignment.closed_at).where(
        Consignment.box_code.in_(codes), Consignment.closed_at.is_not(None)
    )
    found: dict[str, datetime] = {}
    for code, at in session.execute(query.order_by(Consignment.closed_at)):
        if at is not None:
            found[code] = at
    return found
