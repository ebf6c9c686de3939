"""Quality indicators of specimen transport, from the projections: by site, courier and day.

Definitions (each stands beside its figure on the page): transport is from leaving a site to the handover at the
laboratory; a tube is compliant when it was scanned at receipt and found in good condition; a stop is on time when
the courier came no later than 15 minutes after the published plan. A figure without any case is None: no data is
not zero.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope, subtree
from logistics.domain.acts import HOWS
from logistics.errors import NotFound
from logistics.models import (
    Alert,
    Consignment,
    ConsignmentLine,
    Handover,
    Nonconformity,
    Plan,
    Reason,
    Site,
    Specimen,
    Stop,
    User,
)
from logistics.queries.worklists import day_start
from logistics.services import network
from logistics.services.orders import local_day

SPANS = ("1", "7", "30")
TRANSPORT_LIMIT = timedelta(hours=2)
ON_TIME = timedelta(minutes=15)
CHECKED = frozenset({*HOWS, "missing", "found", "unexpected"})
BAD = frozenset({"damaged", "leaked"})


@dataclass(frozen=True, slots=True)
class Tube:
    """A tube on one leg, as it was handed over and checked."""

    origin: str
    courier: str
    day: date
    ride: timedelta | None
    outcome: str
    condition: str | None
    number: str


@dataclass
class Figures:
    """The figures of one slice. Shares are 0 … 1; None: no data."""

    tubes: int = 0
    boxes: int = 0
    ride_median: timedelta | None = None
    ride_in_limit: float | None = None
    damaged: float | None = None
    compliant: float | None = None
    missing: int | None = None
    excursions: int = 0
    excursions_per_100: float | None = None
    on_time: float | None = None
    stops: int = 0
    rejected: float | None = None
    rejections: int = 0


@dataclass
class Slice:
    """A line of a table: a site, a courier or a day with its figures."""

    key: str
    name_zh: str
    name_en: str
    figures: Figures
    drill: bool = False

    def name(self, locale: str) -> str:
        return self.name_en if locale == "en" and self.name_en else self.name_zh


@dataclass
class Board:
    """Everything the page shows."""

    total: Figures
    sites: list[Slice]
    couriers: list[Slice]
    days: list[Slice]
    reasons: list[tuple[Reason | None, str, int]]
    site: Site | None
    trail: list[Site]
    since: datetime
    span: int = 7


@dataclass
class _Facts:
    tubes: list[Tube] = field(default_factory=list)
    stops: list[tuple[str, str, date, bool]] = field(default_factory=list)  # site, courier, day, on time
    excursions: list[tuple[str, str, date]] = field(default_factory=list)  # origin, consignment, day
    rejections: list[tuple[str, date, str]] = field(default_factory=list)  # collecting site, day, reason


def figures(session: Session, scope: Scope, *, now: datetime, days: int = 7, site: str | None = None) -> Board:
    """The indicators of the last ``days`` days (today included) for the sites in ``scope``, or below ``site``.

    Raises NotFound('site_unknown') for a site outside of the scope.
    """
    parents = network.parents(session)
    if site is not None and (site not in parents or not scope.covers(site)):
        raise NotFound("site_unknown", field="site", site=site[:40])
    top = site or (scope.home if not scope.everything else None)
    wanted = set(subtree(top, parents)) if top else set(parents)
    if not scope.everything:
        wanted &= scope.sites
    since = day_start(now, days_back=days - 1)
    facts = _facts(session, wanted, since)
    names = {one.code: one for one in session.scalars(select(Site).where(Site.code.in_(sorted(wanted))))}
    return Board(
        total=_sum(facts),
        sites=_by_site(facts, names, parents, top),
        couriers=_by_courier(session, facts),
        days=_by_day(facts, local_day(since), local_day(now)),
        reasons=_reasons(session, facts),
        site=names.get(site) if site else None,
        trail=_trail(names, parents, site),
        since=since,
        span=days,
    )


def _facts(session: Session, sites: set[str], since: datetime) -> _Facts:
    found = _Facts()
    rows = session.execute(
        select(
            Consignment.number,
            Consignment.origin_code,
            Consignment.departed_at,
            Consignment.delivered_at,
            Consignment.opened_at,
            ConsignmentLine.outcome,
            ConsignmentLine.condition,
        )
        .join(ConsignmentLine, ConsignmentLine.consignment_number == Consignment.number)
        .where(
            Consignment.opened_at >= since,
            Consignment.origin_code.in_(sorted(sites)),
            ConsignmentLine.outcome.not_in(("unpacked", "refused")),
        )
    ).all()
    carriers = _carriers(session, {row[0] for row in rows})
    for number, origin, departed, delivered, opened, outcome, condition in rows:
        ride = delivered - departed if departed and delivered else None
        found.tubes.append(Tube(origin, carriers.get(number, ""), local_day(opened), ride, outcome, condition, number))
    found.excursions = [
        (origin or "", number or "", local_day(at))
        for origin, number, at in session.execute(
            select(Alert.origin_code, Alert.consignment_number, Alert.occurred_at).where(
                Alert.kind == "excursion", Alert.occurred_at >= since, Alert.origin_code.in_(sorted(sites))
            )
        )
    ]
    found.rejections = [
        (origin, local_day(at), reason) for origin, at, reason in session.execute(_rejections(sites, since))
    ]
    found.stops = _stops(session, sites, since)
    return found


def _rejections(sites: set[str], since: datetime) -> Select[str, datetime, str]:
    return (
        select(Specimen.collecting_site_code, Nonconformity.found_at, Nonconformity.reason_code)
        .join(Specimen, Specimen.id == Nonconformity.specimen_id)
        .where(
            Nonconformity.disposition == "reject",
            Nonconformity.found_at >= since,
            Specimen.collecting_site_code.in_(sorted(sites)),
        )
    )


def _stops(session: Session, sites: set[str], since: datetime) -> list[tuple[str, str, date, bool]]:
    rows = session.execute(
        select(Stop.site_code, Stop.courier, Stop.arrive_at, Stop.actual_arrive_at)
        .join(Plan, Plan.id == Stop.plan_id)
        .where(
            Plan.state.in_(("published", "superseded")),
            Stop.kind.in_(("pickup", "both")),
            Stop.actual_arrive_at.is_not(None),
            Stop.arrive_at >= since,
            Stop.site_code.in_(sorted(sites)),
        )
    )
    return [
        (site, courier, local_day(planned), came <= planned + ON_TIME)
        for site, courier, planned, came in rows
        if came is not None
    ]


def _carriers(session: Session, numbers: set[str]) -> dict[str, str]:
    """Who took each consignment at its origin."""
    found: dict[str, str] = {}
    wanted = sorted(numbers)
    for begin in range(0, len(wanted), 500):
        query = select(Handover.consignment_number, Handover.taker).where(
            Handover.consignment_number.in_(wanted[begin : begin + 500]), Handover.meaning == "pickup"
        )
        found.update(session.execute(query.order_by(Handover.occurred_at.desc())).all())
    return found


def _sum(facts: _Facts) -> Figures:
    rides = [tube.ride for tube in facts.tubes if tube.ride is not None]
    checked = [tube for tube in facts.tubes if tube.outcome in CHECKED]
    seen = [tube for tube in checked if tube.outcome != "missing"]
    ours = [tube for tube in checked if tube.outcome != "imported"]  # told by the paper of an external laboratory
    boxes = {tube.number for tube in facts.tubes}
    warm = {number for _, number, _ in facts.excursions}
    return Figures(
        tubes=len(facts.tubes),
        boxes=len(boxes),
        ride_median=timedelta(seconds=median(ride.total_seconds() for ride in rides)) if rides else None,
        ride_in_limit=_share(ride <= TRANSPORT_LIMIT for ride in rides),
        damaged=_share(tube.condition in BAD for tube in seen),
        compliant=_share(tube.outcome == "scanned" and tube.condition == "good" for tube in ours),
        missing=sum(tube.outcome == "missing" for tube in checked) if checked else None,
        excursions=len(warm),
        excursions_per_100=len(warm) / len(boxes) * 100 if boxes else None,
        on_time=_share(good for *_, good in facts.stops),
        stops=len(facts.stops),
        rejected=len(facts.rejections) / len(seen) if seen else None,
        rejections=len(facts.rejections),
    )


def _share(flags: Iterable[bool]) -> float | None:
    found = list(flags)
    return sum(found) / len(found) if found else None


def _part(facts: _Facts, site: Callable[[str], bool], day: date | None = None) -> _Facts:
    return _Facts(
        [one for one in facts.tubes if site(one.origin) and day in {None, one.day}],
        [one for one in facts.stops if site(one[0]) and day in {None, one[2]}],
        [one for one in facts.excursions if site(one[0]) and day in {None, one[2]}],
        [one for one in facts.rejections if site(one[0]) and day in {None, one[1]}],
    )


def _by_site(facts: _Facts, names: dict[str, Site], parents: Mapping[str, str | None], top: str | None) -> list[Slice]:
    """The next tier down: counties of the city, townships of a county; a leaf shows itself."""
    roots = (
        [code for code in names if parents.get(code) == top]
        if top
        else [code for code in names if parents.get(code) is None]
    )
    if not top and len(roots) == 1:
        roots = [code for code in names if parents.get(code) == roots[0]] or roots
    found = []
    for code in roots or ([top] if top else []):
        below = set(subtree(code, parents))
        figures_of = _sum(_part(facts, below.__contains__))
        one = names[code]
        found.append(Slice(code, one.name_zh, one.name_en, figures_of, drill=len(below) > 1))
    return sorted(found, key=lambda one: (-one.figures.tubes, one.key))


def _by_courier(session: Session, facts: _Facts) -> list[Slice]:
    tubes: dict[str, _Facts] = defaultdict(_Facts)
    for tube in facts.tubes:
        if tube.courier:
            tubes[tube.courier].tubes.append(tube)
    for stop in facts.stops:
        tubes[stop[1]].stops.append(stop)
    for warm in facts.excursions:
        for part in tubes.values():
            if any(tube.number == warm[1] for tube in part.tubes):
                part.excursions.append(warm)
                break
    people = {one.username: one for one in session.scalars(select(User).where(User.username.in_(sorted(tubes))))}
    found = [
        Slice(name, people[name].name_zh if name in people else name, people[name].name_en if name in people else name,
              _sum(part))
        for name, part in tubes.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.figures.tubes, one.key))


def _by_day(facts: _Facts, first: date, last: date) -> list[Slice]:
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        text = day.strftime("%m-%d")
        found.append(Slice(day.isoformat(), text, text, _sum(_part(facts, lambda _: True, day))))
    return found


def _reasons(session: Session, facts: _Facts) -> list[tuple[Reason | None, str, int]]:
    counted = Counter(reason for _, _, reason in facts.rejections)
    known = {one.code: one for one in session.scalars(select(Reason).where(Reason.code.in_(sorted(counted))))}
    return [(known.get(code), code, times) for code, times in counted.most_common()]


def _trail(names: dict[str, Site], parents: Mapping[str, str | None], site: str | None) -> list[Site]:
    found: Sequence[Site] = []
    code = site
    while code and code in names:
        found = [names[code], *found]
        code = parents.get(code)
    return list(found)
