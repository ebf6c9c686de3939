"""Importing orders: each row of a file is one tube, registered through the custody log like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import COLLECTOR, Scope
from logistics.domain.acts import Act, Answer, Status
from logistics.domain.numbers import normalise
from logistics.errors import Conflict, Invalid
from logistics.imports import OrderRow, Preview
from logistics.models import Order, Specimen, Test, User
from logistics.services import custody, legs, orders
from logistics.services.import_checked import Action, Change, Checked, Errors, Result, result_of
from logistics.services.import_names import Book

IMPORT_NAMESPACE = UUID("6f1f5a0e-35f4-4d0b-9a3c-5d1f0a9f7c11")
SEPARABLE = {("BLD", "SER"), ("BLD", "PLAS")}  # blood arrives unspun for a test on serum or plasma
FUTURE_TOLERANCE = timedelta(minutes=5)
CHUNK = 400  # values in one IN list


@dataclass(frozen=True, slots=True)
class _Context:
    session: Session
    book: Book
    scope: Scope
    now: datetime
    default_site: str | None
    known: dict[tuple[str, str], list[Specimen]]
    ordered: dict[tuple[str, str], list[Specimen]]
    routes: dict[tuple[str, tuple[str, ...]], str]


def check(session: Session, parsed: Preview, scope: Scope, now: datetime, default_site: str | None) -> Checked:
    """Resolve sites, tests and specimen types, and find the tubes that exist already."""
    errors = Errors(parsed)
    rows = [row for row in parsed.rows if isinstance(row, OrderRow)]
    context = _Context(
        session,
        Book.load(session),
        scope,
        now,
        default_site,
        _by_accession(session, rows),
        _by_order(session, rows),
        {},
    )
    changes = [change for row in rows if (change := _check_row(row, context, errors)) is not None]
    return Checked(parsed, tuple(changes), errors.sorted())


def _check_row(row: OrderRow, context: _Context, errors: Errors) -> Change | None:
    before = len(errors.found)
    site = _site(row, context, errors)
    tests = _tests(row, context, errors)
    kind = _specimen_type(row, tests, context, errors)
    container = ""
    if row.container:
        match = context.book.containers.find(row.container)
        container = match.code or ""
        if not container:
            errors.unknown(row, "container", "container_unknown", row.container, match)
    for field, at in (("collected_at", row.collected_at), ("ordered_at", row.ordered_at)):
        if at is not None and at > context.now + FUTURE_TOLERANCE:
            errors.add(row, field, "time_in_future", at.astimezone(orders.ZONE).strftime("%Y-%m-%d %H:%M"))
    if row.collected_at and row.ordered_at and row.collected_at < row.ordered_at:
        errors.add(row, "collected_at", "collected_before_ordered")
    if len(errors.found) > before or site is None:
        return None
    return _change(row, site, tests, kind, container, context, errors)


def _site(row: OrderRow, context: _Context, errors: Errors) -> str | None:
    if not row.site:
        if context.default_site is None:
            errors.add(row, "site", "value_missing")
        return context.default_site
    match = context.book.site_names.find(row.site)
    if match.code is None:
        errors.unknown(row, "site", "import_site_unknown", row.site, match)
    elif not context.scope.covers(match.code):
        errors.add(row, "site", "site_not_yours", row.site)
    elif not context.book.sites[match.code].active:
        errors.add(row, "site", "site_inactive", row.site)
    return match.code


def _tests(row: OrderRow, context: _Context, errors: Errors) -> list[Test]:
    codes: list[str] = []
    for part in row.tests:
        for name, match in context.book.find_tests(part):
            if match.code is None:
                errors.unknown(row, "tests", "import_test_unknown", name, match)
            else:
                codes.append(match.code)
    tests = [context.book.tests[code] for code in dict.fromkeys(codes)]
    for other in tests[1:]:
        if (other.specimen_type, other.container) != (tests[0].specimen_type, tests[0].container):
            errors.add(
                row, "tests", "import_two_tubes", "、".join(row.tests), first=tests[0].name_zh, second=other.name_zh
            )
            break
    return tests


def _specimen_type(row: OrderRow, tests: Sequence[Test], context: _Context, errors: Errors) -> str:
    if not row.specimen_type:
        return ""
    match = context.book.specimen_types.find(row.specimen_type)
    if match.code is None:
        errors.unknown(row, "specimen_type", "specimen_type_unknown", row.specimen_type, match)
    elif tests and match.code != tests[0].specimen_type:
        if (match.code, tests[0].specimen_type) in SEPARABLE:
            return ""
        errors.add(row, "specimen_type", "specimen_type_differs", row.specimen_type, test=tests[0].name_zh)
    return match.code or ""


def _change(
    row: OrderRow, site: str, tests: list[Test], kind: str, container: str, context: _Context, errors: Errors
) -> Change | None:
    codes = tuple(sorted(test.code for test in tests))
    label = row.accession or row.order_number
    existing = _existing(row, site, codes, context)
    if existing is not None:
        if {test.test_code for test in existing.tests} != set(codes):
            errors.add(row, "tests", "order_differs", label, registered_on=existing.registered_on)
            return None
        return Change(row, label, Action.UNCHANGED, {"specimen_id": existing.id, "site": site})
    try:
        destination = _destination(context, site, codes)
    except Invalid as error:
        errors.add(row, "tests", error.code, "、".join(row.tests), **error.params)
        return None
    values = {
        "site": site,
        "tests": [test.code for test in tests],
        "specimen_type": kind,
        "container": container,
        "destination": destination,
    }
    return Change(row, label, Action.CREATE, values)


def _destination(context: _Context, site: str, codes: tuple[str, ...]) -> str:
    route = (site, codes)
    if route not in context.routes:
        context.routes[route] = legs.laboratory_for(context.session, codes, site)
    return context.routes[route]


def _existing(row: OrderRow, site: str, codes: tuple[str, ...], context: _Context) -> Specimen | None:
    """The tube that the row speaks of, if it is registered already."""
    at = occurred_at(row, context.now)
    if row.accession:
        candidates = context.known.get((site, normalise(row.accession)), [])
        recent = [tube for tube in candidates if abs(tube.registered_at - at) < orders.SAME_TUBE_WITHIN]
        return recent[0] if recent else None
    same = context.ordered.get((site, row.order_number), [])
    return next((tube for tube in same if {test.test_code for test in tube.tests} == set(codes)), None)


def occurred_at(row: OrderRow, now: datetime) -> datetime:
    """When the tube was registered: the earliest time the file gives, else now."""
    given = [at for at in (row.ordered_at, row.collected_at) if at is not None]
    return min(given) if given else now


def _by_accession(session: Session, rows: Sequence[OrderRow]) -> dict[tuple[str, str], list[Specimen]]:
    found: dict[tuple[str, str], list[Specimen]] = {}
    keys = sorted({normalise(row.accession) for row in rows if row.accession})
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        query = select(Specimen).where(Specimen.accession_key.in_(part)).order_by(Specimen.registered_at.desc())
        for tube in session.scalars(query):
            found.setdefault((tube.issuing_site_code, tube.accession_key), []).append(tube)
    return found


def _by_order(session: Session, rows: Sequence[OrderRow]) -> dict[tuple[str, str], list[Specimen]]:
    found: dict[tuple[str, str], list[Specimen]] = {}
    numbers = sorted({row.order_number for row in rows if row.order_number and not row.accession})
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK]
        query = select(Specimen, Order).join(Order).where(Order.order_number.in_(part))
        for tube, order in session.execute(query):
            found.setdefault((order.site_code, order.order_number), []).append(tube)
    return found


def apply(session: Session, checked: Checked, *, actor: User, scope: Scope, now: datetime) -> Result:
    """Register every new tube. A collector's file with collection times also records the collection.

    Raises Conflict ``import_row_refused`` for the first row that custody refuses: then nothing may be committed.
    """
    for change in checked.changes:
        row = change.row
        if change.action is not Action.CREATE or not isinstance(row, OrderRow):
            continue
        answer = custody.record(session, [_registration(row, change, now)], actor=actor, scope=scope, now=now)[0]
        _accepted(answer, row)
        if row.collected_at is not None and actor.role == COLLECTOR:
            tube = answer.result["specimen_id"]
            collect = Act(
                id=_id("collect", change, row.collected_at),
                type="collect",
                occurred_at=row.collected_at,
                subject={"specimen_id": tube},
                how="imported",
                site=change.values["site"],
            )
            done = custody.record(session, [collect], actor=actor, scope=scope, now=now)[0]
            _accepted(done, row)
    return result_of(checked.changes)


def _registration(row: OrderRow, change: Change, now: datetime) -> Act:
    at = occurred_at(row, now)
    payload = {
        "tests": change.values["tests"],
        "order_number": row.order_number,
        "priority": row.priority,
        "specimen_type": change.values["specimen_type"],
        "container": change.values["container"],
        "patient_ref": row.patient_ref,
        "sex": row.sex,
        "age": row.age,
        "department": row.department,
        "source": "imported",
    }
    return Act(
        id=_id("register", change, at),
        type="register",
        occurred_at=at,
        subject={"specimen": row.accession} if row.accession else {},
        payload={name: value for name, value in payload.items() if value},
        how="imported",
        site=change.values["site"],
    )


def _id(act: str, change: Change, at: datetime) -> str:
    """The same row gives the same act, also from two imports at once. Rows without a time differ by tests."""
    row = change.row
    assert isinstance(row, OrderRow)  # noqa: S101  # apply() takes no other
    tests = "+".join(sorted(change.values["tests"]))
    name = f"{act}|{change.values['site']}|{row.accession}|{row.order_number}|{at.isoformat()}|{tests}"
    return str(uuid5(IMPORT_NAMESPACE, name))


def _accepted(answer: Answer, row: OrderRow) -> None:
    if answer.status not in (Status.DONE, Status.DUPLICATE):
        facts = dict(answer.params)
        raise Conflict("import_row_refused", field="file", line=row.line, reason=answer.code, facts=facts)
