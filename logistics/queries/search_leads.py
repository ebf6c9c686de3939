"""The question of a search, and the index that leads to its answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, text
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.models import Consignment, ConsignmentLine, Handover, Site, Specimen, SpecimenTest
from logistics.models.specimens import ELSEWHERE
from logistics.queries.search_text import Meaning, Sense, begins, ends, may_name_seal, meaning
from logistics.queries.walk import Conditions, Walk
from logistics.services.orders import day_start

NARROW = 3  # a scope of so few sites is walked site by site, a wider one by time
JOINED_REACH = 2_000  # a candidate that stands in three tables costs more
READ = ("id", "state", "on_hold", "priority", "collecting_site_code", "destination_code", "location_code", "holder",
        "registered_at")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """What was asked; empty fields ask nothing. Days are local (Asia/Shanghai), both included."""

    text: str = ""
    site: str = ""
    courier: str = ""
    state: str = ""
    first_day: str = ""
    last_day: str = ""
    priority: str = ""
    test: str = ""
    box: str = ""
    consignment: str = ""

    @property
    def empty(self) -> bool:
        return self == Filter()


@dataclass(frozen=True, slots=True)
class Question:
    """A filter with everything looked up that walks and conditions need."""

    wanted: Filter
    scope: Scope
    username: str
    whole: bool  # the scope covers every site there is
    since: datetime | None
    until: datetime | None
    meaning: Meaning | None


@dataclass(frozen=True, slots=True)
class Lead:
    """The walks that answer a question, the name of their order, and the types of its key."""

    kind: str
    walks: Sequence[Walk]
    types: Sequence[type]


NEWEST = (datetime, int)
BY_TIME: tuple[Any, ...] = (Specimen.registered_at, Specimen.id)
CARRIERS: dict[Sense, Any] = {
    Sense.BOX: Consignment.box_code,
    Sense.CONSIGNMENT: Consignment.number,
}


def question(session: Session, scope: Scope, username: str, wanted: Filter) -> Question:
    words = wanted.text.strip()
    since, until = days(wanted)
    whole = scope.everything
    if not whole and len(scope.sites) > NARROW:
        whole = len(scope.sites) >= (session.scalar(select(func.count()).select_from(Site)) or 0)
    understood = meaning(session, words) if words else None
    return Question(wanted, scope, username, whole, since, until, understood)


def lead(asked: Question) -> Lead:
    """The index that answers the question with the fewest rows to look at."""
    by_text = _text_lead(asked.meaning, asked.scope) if asked.meaning else None
    return by_text or _load_lead(asked.wanted) or _place_lead(asked) or _thing_lead(asked)


def _text_lead(understood: Meaning, scope: Scope) -> Lead:
    value = understood.value
    match understood.sense:
        case Sense.NUMBER:
            found = Lead("at", [Walk(_source().where(Specimen.accession_key == value), BY_TIME)], NEWEST)
        case Sense.BEGINS:
            source = _source(Specimen.accession_key).where(begins(value))
            found = Lead("begins", [Walk(source, (Specimen.accession_key, Specimen.id))], (str, int))
        case Sense.ENDS:
            source = _source(Specimen.accession_tail).where(ends(value))
            found = Lead("ends", [Walk(source, (Specimen.accession_tail, Specimen.id))], (str, int))
        case Sense.TEST:
            found = _tested(value)
        case Sense.NOTHING:
            found = Lead("nothing", [], ())
        case Sense.SEAL:
            found = _carried((Consignment.seal_number == value) & may_name_seal(scope))
        case _:
            found = _carried(CARRIERS[understood.sense] == value)
    return found


def _load_lead(wanted: Filter) -> Lead | None:
    if wanted.consignment:
        return _carried(Consignment.number == wanted.consignment)
    if wanted.box:
        return _carried(Consignment.box_code == wanted.box)
    return _driven(wanted.courier) if wanted.courier else None


def _place_lead(asked: Question) -> Lead | None:
    """On hold are few; a site, or a scope of few sites, has indexes of its own."""
    if asked.wanted.state == "on_hold":
        return Lead("at", [_by_time(asked, text("on_hold"))], NEWEST)
    sites = [asked.wanted.site] if asked.wanted.site else sorted(asked.scope.sites)
    if asked.wanted.site or (not asked.whole and len(sites) <= NARROW):
        return Lead("at", list(_by_site(asked, sites)), NEWEST)
    return None


def _thing_lead(asked: Question) -> Lead:
    wanted = asked.wanted
    if wanted.state:
        return Lead("at", [_by_time(asked, Specimen.state == wanted.state)], NEWEST)
    if wanted.priority and wanted.priority != "routine":
        pressing = (text("priority <> 'routine'"), Specimen.priority == wanted.priority)
        return Lead("at", [_by_time(asked, *pressing)], NEWEST)
    if wanted.test and not (asked.since or asked.until):
        return _tested(wanted.test)
    return Lead("at", [_by_time(asked)], NEWEST)


def _source(*more: Any) -> Select[Any]:
    return select(*(getattr(Specimen, name) for name in READ), *more)


def _by_time(asked: Question, *conditions: Any) -> Walk:
    source = _source().where(*conditions)
    if asked.since:
        source = source.where(Specimen.registered_at >= asked.since)
    if asked.until:
        source = source.where(Specimen.registered_at < asked.until)
    return Walk(source, BY_TIME)


def _by_site(asked: Question, sites: Sequence[str]) -> Iterable[Walk]:
    """Tubes that one of the sites collected, tests, or holds without either; those the asker holds, when no site was
    named. Each walk leaves out what another finds."""
    state = [Specimen.state == asked.wanted.state] if asked.wanted.state else []
    collected, tested = Specimen.collecting_site_code, Specimen.destination_code
    for site in sites:
        yield _by_time(asked, collected == site, *state)
        yield _by_time(asked, tested == site, collected.not_in(sites), *state)
        yield _by_time(asked, Specimen.location_code == site, text(ELSEWHERE), *state)
    if not asked.wanted.site:
        yield _by_time(asked, Specimen.holder == asked.username, *state)


def _carried(which: ColumnElement[bool]) -> Lead:
    """Tubes that travelled in consignments, the newest consignment first."""
    source = (
        _source(Consignment.opened_at, ConsignmentLine.consignment_number)
        .select_from(Consignment)
        .join(ConsignmentLine, ConsignmentLine.consignment_number == Consignment.number)
        .join(Specimen, Specimen.id == ConsignmentLine.specimen_id)
        .where(which)
    )
    keys = (Consignment.opened_at, ConsignmentLine.consignment_number, Specimen.id)
    return Lead("carried", [Walk(source, keys, reach=JOINED_REACH)], (datetime, str, int))


def _driven(courier: str) -> Lead:
    """Tubes of the consignments that a courier took over, the last one first."""
    source = (
        _source(Handover.occurred_at, ConsignmentLine.consignment_number)
        .select_from(Handover)
        .join(ConsignmentLine, ConsignmentLine.consignment_number == Handover.consignment_number)
        .join(Specimen, Specimen.id == ConsignmentLine.specimen_id)
        .where(Handover.taker == courier)
    )
    keys = (Handover.occurred_at, ConsignmentLine.consignment_number, Specimen.id)
    return Lead("driven", [Walk(source, keys, reach=JOINED_REACH)], (datetime, str, int))


def _tested(test: str) -> Lead:
    source = _source().select_from(SpecimenTest).join(Specimen, Specimen.id == SpecimenTest.specimen_id)
    walk = Walk(source.where(SpecimenTest.test_code == test), (Specimen.id,), reach=JOINED_REACH)
    return Lead("test", [walk], (int,))


def keep(asked: Question) -> Conditions:
    """Everything that was asked, whatever led the walk: a condition twice costs nothing and misses nothing."""
    wanted = asked.wanted

    def conditions(at: Any) -> Iterable[ColumnElement[bool]]:
        if not asked.whole:
            sites = sorted(asked.scope.sites)
            places = (at.collecting_site_code, at.destination_code, at.location_code)
            yield or_(*(place.in_(sites) for place in places), at.holder == asked.username)
        if wanted.site:
            yield or_(*(place == wanted.site for place in (at.collecting_site_code, at.destination_code,
                                                           at.location_code)))  # fmt: skip
        if wanted.state == "on_hold":
            yield at.on_hold
        elif wanted.state:
            yield at.state == wanted.state
        if wanted.priority:
            yield at.priority == wanted.priority
        if asked.since:
            yield at.registered_at >= asked.since
        if asked.until:
            yield at.registered_at < asked.until
        if wanted.test:
            yield exists().where(SpecimenTest.specimen_id == at.id, SpecimenTest.test_code == wanted.test)
        yield from _travelled(wanted, at)

    return conditions


def _travelled(wanted: Filter, at: Any) -> Iterable[ColumnElement[bool]]:
    of_tube = exists().where(ConsignmentLine.specimen_id == at.id)
    if wanted.consignment:
        yield of_tube.where(ConsignmentLine.consignment_number == wanted.consignment)
    if wanted.box:
        in_box = Consignment.number == ConsignmentLine.consignment_number
        yield of_tube.where(in_box, Consignment.box_code == wanted.box)
    if wanted.courier:
        taken = Handover.consignment_number == ConsignmentLine.consignment_number
        yield of_tube.where(taken, Handover.taker == wanted.courier)


def days(wanted: Filter) -> tuple[datetime | None, datetime | None]:
    """From the beginning of the first day to the end of the last. Raises Invalid('search_day_malformed')."""
    since = day_start(wanted.first_day, "from") if wanted.first_day else None
    until = day_start(wanted.last_day, "to") + timedelta(days=1) if wanted.last_day else None
    return since, until
