"""What a collecting site sees: its tubes by state, boxes to pack, what became of yesterday's tubes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.orm import Session, joinedload

from logistics.domain.access import Scope
from logistics.domain.custody import EventType as E
from logistics.domain.custody import read_text, specimen_stream
from logistics.domain.numbers import normalise
from logistics.domain.transitions import State as S
from logistics.errors import Conflict, NotFound
from logistics.models import (
    Box,
    Consignment,
    ConsignmentLine,
    CustodyEvent,
    Handover,
    Nonconformity,
    Order,
    Pickup,
    Reason,
    Specimen,
    Test,
    TestSite,
    User,
)  # fmt: skip
from logistics.models.specimens import ELSEWHERE
from logistics.queries.search_text import begins, ends
from logistics.services import legs
from logistics.services.orders import ZONE, local_day

# The tabs of the worklist. A tube that is still at the site stays on it however old it is.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "to_collect": (S.REGISTERED,),
    "to_pack": (S.COLLECTED,),
    "in_box": (S.PACKED, S.SEALED),
    "away": (S.IN_TRANSIT, S.ARRIVED, S.DELIVERED),
    "done": (S.RECEIVED, S.ACCEPTED, S.ACCEPTED_CONCESSION, S.DISPOSED),
    "problem": (S.REJECTED, S.MISSING, S.LOST, S.RECALLED, S.RETURNED, S.COLLECTION_FAILED),
}
STILL_HERE = (S.REGISTERED, S.COLLECTED, S.PACKED, S.SEALED)
BAD = (S.REJECTED, S.LOST, S.MISSING, S.RECALLED, S.RETURNED)
PRIORITY_RANK = case({"stat": 0, "urgent": 1}, value=Specimen.priority, else_=2)
MAX_ROWS = 500
RECENT_DAYS = 90
LONGEST_PACKING = timedelta(days=7)  # a box that leaves today was begun no longer ago


def day_start(at: datetime, *, days_back: int = 0) -> datetime:
    """Local midnight at the start of the day of ``at``, or of a day before."""
    day = local_day(at) - timedelta(days=days_back)
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def _mine(scope: Scope) -> ColumnElement[bool]:
    if scope.everything:
        return Specimen.id.is_not(None)
    return Specimen.collecting_site_code.in_(sorted(scope.sites))


def _among(*parts: Select[int]) -> ColumnElement[bool]:
    """Tubes that one of the parts names. Each part is read by an index of its own; an OR of them by none."""
    return Specimen.id.in_(union_all(*parts))


def _today(scope: Scope, now: datetime) -> ColumnElement[bool]:
    """Registered today, or still here however old."""
    own = select(Specimen.id).where(_mine(scope))
    return _among(own.where(Specimen.registered_at >= day_start(now)), own.where(Specimen.state.in_(STILL_HERE)))


def _search(scope: Scope, query: str, now: datetime) -> ColumnElement[bool]:
    """By tube, box, consignment or order, of any age; by a part of these or of the patient's masked name, of the last
    RECENT_DAYS days."""
    plain = normalise(query)
    codes = sorted({query, plain, query.upper()})
    like = f"%{query.replace('%', '').replace('_', '')}%"
    own = select(Specimen.id).where(_mine(scope))
    recent = own.where(Specimen.registered_at >= day_start(now, days_back=RECENT_DAYS))
    parts = [
        own.where(Specimen.box_code.in_(codes)),
        own.where(Specimen.consignment_number.in_(codes)),
        own.join(Order, Order.id == Specimen.order_id).where(Order.order_number.in_(codes), _mine_orders(scope)),
        recent.where(
            or_(Specimen.accession.ilike(like), Specimen.patient_ref.ilike(like), Specimen.box_code.ilike(like))
        ),
        recent.join(Order, Order.id == Specimen.order_id).where(Order.order_number.ilike(like)),
    ]
    if plain:
        parts += [own.where(begins(plain)), own.where(ends(plain))]
    return _among(*(part.limit(MAX_ROWS).subquery().select() for part in parts))


def _mine_orders(scope: Scope) -> ColumnElement[bool]:
    return true() if scope.everything else Order.site_code.in_(sorted(scope.sites))


def worklist(
    session: Session,
    scope: Scope,
    *,
    now: datetime,
    group: str = "",
    query: str = "",
    priority: str = "",
    unprinted: bool = False,
    limit: int = MAX_ROWS,
) -> list[Specimen]:
    """Today's tubes of the sites in ``scope`` and older ones that never left; most pressing first.

    A search looks at all days for a number, at the last ninety for a part of one.
    """
    statement = select(Specimen).where(_mine(scope))
    statement = statement.where(_search(scope, query, now) if query else _today(scope, now))
    if group in GROUPS:
        statement = statement.where(Specimen.state.in_(GROUPS[group]))
    if priority:
        statement = statement.where(Specimen.priority == priority)
    if unprinted:
        statement = statement.where(Specimen.labels_printed == 0, Specimen.state == S.REGISTERED)
    here_first = case((Specimen.state.in_(STILL_HERE), 0), else_=1)
    order = (here_first, PRIORITY_RANK, Specimen.registered_at.desc(), Specimen.id.desc())
    return list(session.scalars(statement.options(joinedload(Specimen.order)).order_by(*order).limit(limit)))


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tubes stand in each group today; ``unprinted`` wait for a label."""

    groups: Mapping[str, int]
    total: int
    unprinted: int


def counts(session: Session, scope: Scope, *, now: datetime) -> Counts:
    rows = session.execute(
        select(
            Specimen.state,
            func.count(Specimen.id),
            func.sum(case((and_(Specimen.labels_printed == 0, Specimen.state == S.REGISTERED), 1), else_=0)),
        )
        .where(_today(scope, now))
        .group_by(Specimen.state)
    ).all()
    by_state = {state: number for state, number, _ in rows}
    groups = {name: sum(by_state.get(state, 0) for state in states) for name, states in GROUPS.items()}
    return Counts(groups, sum(by_state.values()), sum(int(unprinted or 0) for _, _, unprinted in rows))


def own_specimens(session: Session, scope: Scope, ids: Collection[int]) -> list[Specimen]:
    """The tubes of these ids that were collected at a site in ``scope``, in the order they were registered."""
    query = select(Specimen).where(Specimen.id.in_(list(ids)), _mine(scope))
    return list(session.scalars(query.order_by(Specimen.registered_at, Specimen.id)))


def unprinted(session: Session, scope: Scope, *, now: datetime) -> list[Specimen]:
    """Tubes that wait for their first label, in the order they were registered."""
    return sorted(worklist(session, scope, now=now, unprinted=True), key=lambda one: (one.registered_at, one.id))


def reasons(session: Session, kind: str) -> list[Reason]:
    """The active coded reasons of a kind, in their order."""
    query = select(Reason).where(Reason.kind == kind, Reason.active)
    return list(session.scalars(query.order_by(Reason.position, Reason.code)))


def orderable_tests(session: Session, site_code: str) -> list[tuple[Test, str]]:
    """The active tests that some laboratory above ``site_code``, or an external one that works for it, performs,
    each with the nearest such laboratory."""
    chain = legs.laboratories(session, site_code)
    nearest: dict[str, str] = {}
    rows = session.execute(select(TestSite.test_code, TestSite.site_code).where(TestSite.site_code.in_(chain)))
    for test_code, lab in rows:
        known = nearest.get(test_code)
        if known is None or chain.index(lab) < chain.index(known):
            nearest[test_code] = lab
    tests = session.scalars(select(Test).where(Test.active).order_by(Test.code))
    return [(test, nearest[test.code]) for test in tests if test.code in nearest]


def outcomes(session: Session, scope: Scope, *, now: datetime, days: int = 2) -> list[Specimen]:
    """Tubes that left the site or were looked at since the start of yesterday; rejected and missing first."""
    since = day_start(now, days_back=days - 1)
    away = (*GROUPS["away"], *GROUPS["done"], *BAD)
    query = (
        select(Specimen)
        .where(_mine(scope), Specimen.state.in_(away))
        .where(Specimen.state_since >= since)  # collecting and deciding begin a state, too
    )
    bad_first = case((Specimen.state.in_(BAD), 0), (Specimen.on_hold, 1), else_=2)
    statement = query.order_by(bad_first, Specimen.state_since.desc(), Specimen.id).limit(MAX_ROWS)
    return list(session.scalars(statement))


def replacements(session: Session, ids: Iterable[int]) -> dict[int, Specimen]:
    """The tube that was collected again in place of each of these."""
    found = session.scalars(select(Specimen).where(Specimen.recollects_id.in_(list(ids))))
    return {one.recollects_id: one for one in found if one.recollects_id is not None}


def findings(session: Session, ids: Iterable[int]) -> dict[int, Nonconformity]:
    """What was found wrong with each of these tubes last."""
    query = select(Nonconformity).where(Nonconformity.specimen_id.in_(list(ids))).order_by(Nonconformity.id)
    return {one.specimen_id: one for one in session.scalars(query) if one.specimen_id is not None}


def refusals(session: Session, tubes: Iterable[Specimen]) -> dict[int, str]:
    """The coded reason for which a courier left each of these tubes behind, while it still lies there unpacked."""
    ids = [tube.id for tube in tubes if tube.state in (S.COLLECTED, S.RECEIVED) and tube.box_code is None]
    left = select(ConsignmentLine.specimen_id).where(
        ConsignmentLine.specimen_id.in_(ids), ConsignmentLine.outcome == "refused"
    )
    streams = {specimen_stream(one): one for one in session.scalars(left)}
    query = (
        select(CustodyEvent.stream, CustodyEvent.body)
        .where(CustodyEvent.stream.in_(sorted(streams)), CustodyEvent.type == E.UNPACKED)
        .order_by(CustodyEvent.seq)
    )
    last = {stream: read_text(body).payload for stream, body in session.execute(query)}
    return {streams[stream]: str(facts["reason"]) for stream, facts in last.items() if facts.get("refused")}


def refused_of(session: Session, number: str) -> dict[str, str]:
    """The tubes that the courier left behind when he took this consignment: accession → coded reason."""
    query = (
        select(Specimen.accession, CustodyEvent.body)
        .join(ConsignmentLine, ConsignmentLine.specimen_id == Specimen.id)
        .join(CustodyEvent, CustodyEvent.stream == literal("specimen:").concat(cast(Specimen.id, String)))
        .where(ConsignmentLine.consignment_number == number, ConsignmentLine.outcome == "refused")
        .where(CustodyEvent.type == E.UNPACKED)
        .order_by(Specimen.id, CustodyEvent.seq)
    )
    facts = ((accession, read_text(body).payload) for accession, body in session.execute(query))
    return {
        accession: str(one["reason"]) for accession, one in facts if one.get("refused") and one["consignment"] == number
    }


@dataclass(frozen=True, slots=True)
class Load:
    """A consignment that left or waits at the site, and who took it when."""

    consignment: Consignment
    handovers: Sequence[Handover]


def loads(session: Session, scope: Scope, *, now: datetime) -> list[Load]:
    """Boxes being packed, waiting, and those that left today, newest first."""
    home = [] if scope.everything or not scope.home else [scope.home]
    number = select(Consignment.number)
    own = number if scope.everything else number.where(Consignment.origin_code.in_(home))
    today = day_start(now)
    parts = [
        own.where(Consignment.state.in_(("open", "sealed", "waiting"))),
        own.where(Consignment.opened_at >= today - LONGEST_PACKING, Consignment.departed_at >= today),
        number.where(Consignment.state == "waiting", Consignment.location_code.in_(home)),
    ]
    query = (
        select(Consignment)
        .where(Consignment.number.in_(union_all(*parts)))
        .where(Consignment.state != "cancelled", Consignment.kind != "return")
        .options(joinedload(Consignment.origin), joinedload(Consignment.destination))
    )
    found = list(session.scalars(query.order_by(Consignment.opened_at.desc()).limit(60)))
    signed = handovers(session, [one.number for one in found])
    return [Load(one, signed.get(one.number, [])) for one in found]


def handovers(session: Session, numbers: Sequence[str]) -> dict[str, list[Handover]]:
    """The signed handovers of each consignment, oldest first."""
    found: dict[str, list[Handover]] = {}
    query = select(Handover).where(Handover.consignment_number.in_(numbers)).order_by(Handover.occurred_at)
    for handover in session.scalars(query):
        found.setdefault(handover.consignment_number, []).append(handover)
    return found


def packable(session: Session, site_code: str) -> list[Specimen]:
    """Tubes that stand at the site unboxed and travel on: collected here, or received for another laboratory."""
    ready = (S.RECEIVED, S.ACCEPTED, S.ACCEPTED_CONCESSION)
    own = select(Specimen.id).where(Specimen.collecting_site_code == site_code)
    passing = select(Specimen.id).where(Specimen.location_code == site_code, text(ELSEWHERE))
    standing = _among(
        own.where(Specimen.state == S.COLLECTED),
        own.where(Specimen.state == S.RECEIVED, Specimen.destination_code != site_code),
        passing.where(Specimen.state.in_((S.COLLECTED, *ready))),
        select(Specimen.id).where(Specimen.destination_code == site_code, Specimen.state == S.COLLECTED),
    )
    query = select(Specimen).where(standing, Specimen.location_code == site_code, Specimen.box_code.is_(None))
    order = (PRIORITY_RANK, Specimen.use_by_at.is_(None), Specimen.use_by_at, Specimen.id)
    return list(session.scalars(query.order_by(*order).limit(MAX_ROWS)))


def boxes_here(session: Session, site_code: str) -> list[Box]:
    """Boxes that may be packed at the site: empty ones that stand here, and those begun here."""
    begun = select(Consignment.number).where(
        Consignment.origin_code == site_code,
        Consignment.kind != "return",
        Consignment.state.in_(("open", "sealed", "waiting")),
    )
    here = or_(
        Box.location_code == site_code,
        and_(Box.location_code.is_(None), Box.holder.is_(None), Box.home_code == site_code),
    )
    usable = or_(Box.consignment_number.is_(None), Box.consignment_number.in_(begun))
    query = select(Box).where(Box.active, Box.kind == "box", here, usable)
    return list(session.scalars(query.order_by(Box.consignment_number.is_(None), Box.code)))


def box_here(session: Session, site_code: str, code: str) -> tuple[Box, Consignment | None]:
    """A box that may be packed at the site, and the consignment in it.

    Raises NotFound('box_unknown') or Conflict('box_elsewhere').
    """
    box = session.get(Box, code)
    if box is None or not box.active:
        raise NotFound("box_unknown", field="box", box=code)
    consignment = session.get(Consignment, box.consignment_number) if box.consignment_number else None
    if consignment is not None and consignment.origin_code != site_code:
        raise Conflict("box_elsewhere", field="box", box=code, site="")
    if consignment is None and box.location_code not in {None, site_code}:
        raise Conflict("box_elsewhere", field="box", box=code, site="")
    return box, consignment


def contents(session: Session, number: str) -> list[Specimen]:
    """The tubes in a consignment, last packed first."""
    query = select(Specimen).where(Specimen.consignment_number == number)
    return list(session.scalars(query.order_by(Specimen.state_since.desc(), Specimen.id.desc())))


def pickup_today(session: Session, site_code: str, *, now: datetime) -> Pickup | None:
    """The pickup that dispatch knows of today, if any."""
    query = select(Pickup).where(
        Pickup.site_code == site_code,
        Pickup.day == local_day(now).isoformat(),
        Pickup.state.in_(("open", "planned")),
        Pickup.kind.in_(("ready", "urgent")),
    )
    return session.scalars(query.order_by(Pickup.id.desc())).first()


def urgent_open(session: Session, site_code: str, *, now: datetime) -> Pickup | None:
    """Today's urgent call that nobody has answered yet."""
    query = select(Pickup).where(
        Pickup.site_code == site_code,
        Pickup.day == local_day(now).isoformat(),
        Pickup.kind == "urgent",
        Pickup.state.in_(("open", "planned")),
    )
    return session.scalars(query.order_by(Pickup.id.desc())).first()


def people(session: Session, usernames: Iterable[str | None]) -> dict[str, User]:
    """Users by name, for showing who did something."""
    wanted = sorted({name for name in usernames if name})
    return {one.username: one for one in session.scalars(select(User).where(User.username.in_(wanted)))}
