"""Orders and the tubes they ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain import numbers
from logistics.domain.custody import EventType as E
from logistics.errors import Conflict, Invalid
from logistics.models import Order, Specimen, SpecimenTest, Test
from logistics.models.specimens import PRIORITIES
from logistics.services import label_ledger, legs, recollection
from logistics.services.desk import Desk

ZONE = ZoneInfo("Asia/Shanghai")
MAX_ACCESSION = 64
# The same barcode at the same site within this time is the same tube; hospital numbers come back after months.
SAME_TUBE_WITHIN = timedelta(days=45)


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One tube as it was ordered. ``patient_ref`` is masked before it gets here; no name is ever kept."""

    tests: tuple[str, ...]
    accession: str | None = None
    order_number: str | None = None
    priority: str = "routine"
    specimen_type: str | None = None
    container: str | None = None
    patient_ref: str = ""
    sex: str = ""
    age: str = ""
    department: str = ""
    ordered_at: datetime | None = None
    site: str | None = None
    source: str = "typed"


def line_from_payload(payload: Mapping[str, Any], *, accession: object = None) -> OrderLine:
    """Raises Invalid naming the field."""
    tests = payload.get("tests")
    if not isinstance(tests, (list, tuple)) or not tests or not all(isinstance(test, str) for test in tests):
        raise Invalid("field_missing", field="tests")
    texts = {
        key: _text(payload, key)
        for key in ("order_number", "specimen_type", "container", "patient_ref", "sex", "age", "department")
    }
    return OrderLine(
        tests=tuple(tests),
        accession=str(accession).strip() if accession else None,
        order_number=texts["order_number"] or None,
        priority=str(payload.get("priority") or "routine"),
        specimen_type=texts["specimen_type"] or None,
        container=texts["container"] or None,
        patient_ref=texts["patient_ref"],
        sex=texts["sex"],
        age=texts["age"],
        department=texts["department"],
        source=str(payload.get("source") or "typed"),
    )


def _text(payload: Mapping[str, Any], key: str) -> str:
    value = payload.get(key)
    if value is not None and not isinstance(value, str):
        raise Invalid("field_malformed", field=key)
    return value or ""


def register(desk: Desk, line: OrderLine) -> Specimen:
    """Register one tube: destination from the tests, a number of ours where it has none, event 'registered'.

    Raises Invalid (tests, priority, specimen type) or Conflict('specimen_exists').
    """
    site = line.site or desk.own_site()
    if not desk.scope.covers(site):
        raise Invalid("site_unknown", field="site", site=site)
    tests = known_tests(desk.session, line.tests)
    if line.priority not in PRIORITIES:
        raise Invalid("priority_unknown", field="priority", priority=line.priority)
    accession = checked_accession(line.accession) or issue_accession(desk.session, desk.act.occurred_at)
    existing = find_same(desk.session, site, accession, desk.act.occurred_at)
    if existing is not None:
        raise Conflict("specimen_exists", field="specimen", specimen=accession, registered_on=existing.registered_on)
    if line.accession:
        accession = _from_label(desk, accession, site)
    order = _order(desk, line, site, accession)
    return _add_specimen(desk, line, site, accession, tests, order)


def checked_accession(accession: str | None) -> str | None:
    """A number that a Code 128 label can show: one that it cannot would hold up the printing of all others."""
    fits = not accession or (accession.isascii() and accession.isprintable() and " " not in accession)
    if not fits or len(accession or "") > MAX_ACCESSION:
        raise Invalid("field_malformed", field="specimen")
    return accession


def known_tests(session: Session, codes: Sequence[str]) -> list[Test]:
    """The tests of these codes, all active, all for one specimen type and temperature class."""
    found = {test.code: test for test in session.scalars(select(Test).where(Test.code.in_(list(codes))))}
    for code in codes:
        if code not in found or not found[code].active:
            raise Invalid("test_unknown", field="tests", test=code[:40])
    tests = [found[code] for code in dict.fromkeys(codes)]
    for other in tests[1:]:
        if (other.specimen_type, other.container) != (tests[0].specimen_type, tests[0].container):
            raise Invalid("tests_need_two_tubes", field="tests", first=tests[0].code, second=other.code)
    return tests


def find_same(session: Session, site: str, accession: str, at: datetime) -> Specimen | None:
    """The tube that this number of this site already stands for, if it is recent enough to be the same."""
    return session.scalars(
        select(Specimen)
        .where(
            Specimen.accession_key == numbers.normalise(accession),
            Specimen.issuing_site_code == site,
            Specimen.registered_at > at - SAME_TUBE_WITHIN,
        )
        .order_by(Specimen.registered_at.desc())
    ).first()


def local_day(at: datetime) -> date:
    return at.astimezone(ZONE).date()


def day_start(text: str, field: str, code: str = "search_day_malformed") -> datetime:
    """The beginning of a local day written as year-month-day. Raises Invalid(``code``) naming the field."""
    try:
        day = datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(0), ZONE)  # noqa: DTZ007
    except ValueError:
        raise Invalid(code, field=field) from None
    if not 1900 <= day.year < 9999:  # nothing is registered there, and a day more or less must be a day
        raise Invalid(code, field=field)
    return day


def issue_accession(session: Session, at: datetime) -> str:
    day = local_day(at)
    return numbers.issue(numbers.Kind.ACCESSION, next_number(session, f"accession:{day}"), day)


def _order(desk: Desk, line: OrderLine, site: str, accession: str) -> Order:
    number = line.order_number or accession
    known = desk.session.scalars(select(Order).where(Order.site_code == site, Order.order_number == number)).first()
    if known is not None:
        return known
    order = Order(
        site_code=site,
        order_number=number,
        patient_ref=line.patient_ref,
        sex=line.sex,
        age=line.age,
        department=line.department,
        ordered_at=line.ordered_at,
        created_at=desk.now,
        created_by=desk.actor.username,
        source=line.source,
    )
    desk.session.add(order)
    desk.session.flush()
    return order


def _add_specimen(
    desk: Desk,
    line: OrderLine,
    site: str,
    accession: str,
    tests: Sequence[Test],
    order: Order | None,
    *,
    recollects: Specimen | None = None,
) -> Specimen:
    first = tests[0]
    destination = legs.laboratory_for(desk.session, [test.code for test in tests], site)
    specimen = Specimen(
        accession=accession,
        accession_key=numbers.normalise(accession),
        issuing_site_code=site,
        registered_on=local_day(desk.act.occurred_at).isoformat(),
        order_id=order.id if order else None,
        specimen_type=line.specimen_type or first.specimen_type,
        container=line.container or first.container,
        temp_class=first.temp_class,
        stage=first.stage,
        priority=line.priority,
        patient_ref=line.patient_ref,
        collecting_site_code=site,
        destination_code=destination,
        recollects_id=recollects.id if recollects else None,
        state="new",
        state_since=desk.act.occurred_at,
        registered_at=desk.act.occurred_at,
        stream_seq=0,
        stream_head="",
        tests=[SpecimenTest(test_code=test.code, test=test) for test in tests],
    )
    desk.session.add(specimen)
    desk.session.flush()
    payload = {
        "accession": accession,
        "order": specimen.order_id,
        "tests": sorted(test.code for test in tests),
        "type": specimen.specimen_type,
        "container": specimen.container,
        "temp_class": specimen.temp_class,
        "stage": specimen.stage,
        "priority": specimen.priority,
        "destination": destination,
    }
    if recollects is not None:
        payload |= {"replaces": recollects.accession, "replaces_id": recollects.id}
    desk.append_specimen(specimen, E.REGISTERED, payload, site=site)
    return specimen


def recollect(desk: Desk, old: Specimen, accession: str | None) -> Specimen:
    """A new tube for the tests that ``old`` gives no result for. Raises Conflict when one exists already."""
    line = OrderLine(
        tests=tuple(recollection.tests_to_collect(desk.session, old)),
        priority=old.priority,
        specimen_type=old.specimen_type,
        container=old.container,
        patient_ref=old.patient_ref,
    )
    number = checked_accession(accession) or issue_accession(desk.session, desk.act.occurred_at)
    site = old.collecting_site_code
    if find_same(desk.session, site, number, desk.act.occurred_at) is not None:
        raise Conflict("specimen_exists", field="accession", specimen=number, registered_on="")
    if accession:
        number = _from_label(desk, number, site)
    tests = known_tests(desk.session, line.tests)
    return _add_specimen(desk, line, site, number, tests, old.order, recollects=old)


def _from_label(desk: Desk, accession: str, site: str) -> str:
    """A number of ours that was printed ahead is used up; other systems' numbers are taken as they are."""
    return label_ledger.take(desk.session, accession, site=site, by=desk.actor.username, now=desk.act.occurred_at)
