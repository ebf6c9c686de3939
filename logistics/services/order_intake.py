"""Orders from another system: each tube once, however often it is sent, through the same acts as everything else.

    answers = order_intake.take(session, orders, actor=user, scope=scope, now=clock.now())

A tube is known by sending site, order number and its barcode; one that has no barcode yet by its tests. What is
known already is answered with 'duplicate' and changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain.access import Scope
from logistics.domain.acts import Act, Answer, Status
from logistics.errors import Conflict, Invalid, LabrelayError
from logistics.imports.text import mask_name
from logistics.models import Order, Specimen, User
from logistics.services import custody, orders

MAX_TEXT = 64


@dataclass(frozen=True, slots=True)
class Tube:
    """One tube that an order asks for; without ``accession`` it gets a number of ours."""

    tests: tuple[str, ...]
    accession: str | None = None
    priority: str | None = None
    specimen_type: str | None = None
    container: str | None = None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as another system knows it. ``patient_ref`` is masked here, whatever was sent."""

    order_number: str
    tubes: tuple[Tube, ...]
    site: str | None = None
    priority: str = "routine"
    patient_ref: str = ""
    sex: str = ""
    age: str = ""
    department: str = ""
    ordered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one tube. ``answer.result`` holds specimen, specimen_id and destination when it exists."""

    order_number: str
    accession: str | None
    answer: Answer


def take(
    session: Session, new: Sequence[NewOrder], *, actor: User, scope: Scope, now: datetime, device: str = ""
) -> list[Taken]:
    """Register the tubes that are not known yet, each on its own, in the order they were sent."""
    taken = []
    for order in new:
        site = order.site or actor.site_code
        try:
            if site is None:
                raise Invalid("site_missing", field="site")
            if not scope.covers(site):
                raise Invalid("site_unknown", field="site", site=site[:MAX_TEXT])
        except LabrelayError as error:
            taken += [Taken(order.order_number, tube.accession, _refused(error)) for tube in order.tubes]
            continue
        # Held until the end: the same order sent twice at the same time is registered once.
        next_number(session, f"orders:{site}")
        matched: set[int] = set()
        for tube in order.tubes:
            answer = _one(session, order, tube, site, matched, actor=actor, scope=scope, now=now, device=device)
            number = tube.accession or answer.result.get("specimen")
            taken.append(Taken(order.order_number, str(number) if number else None, answer))
    return taken


def _one(
    session: Session,
    order: NewOrder,
    tube: Tube,
    site: str,
    matched: set[int],
    *,
    actor: User,
    scope: Scope,
    now: datetime,
    device: str,
) -> Answer:
    try:
        known = _known(session, order, tube, site, matched, now)
    except LabrelayError as error:
        return _refused(error)
    if known is not None:
        matched.add(known.id)
        result = {"specimen": known.accession, "specimen_id": known.id, "destination": known.destination_code}
        return Answer("", Status.DUPLICATE, result=result)
    act = _act(order, tube, site, now, device)
    answer = custody.record(session, [act], actor=actor, scope=scope, now=now)[0]
    if answer.status is Status.DONE:
        matched.add(int(answer.result["specimen_id"]))
    return answer


def _known(
    session: Session, order: NewOrder, tube: Tube, site: str, matched: set[int], now: datetime
) -> Specimen | None:
    """The tube as it was registered before. Raises Conflict when it was registered as something else."""
    if tube.accession:
        found = orders.find_same(session, site, tube.accession, now)
        if found is None:
            return None
        if found.order is None or found.order.order_number != order.order_number:
            raise Conflict("specimen_exists", field="accession", specimen=tube.accession)
        if _tests(found) != set(tube.tests):
            raise Conflict("order_tube_differs", field="tests", specimen=tube.accession)
        return found
    query = (
        select(Specimen)
        .join(Order, Specimen.order_id == Order.id)
        .where(Order.site_code == site, Order.order_number == order.order_number)
        .order_by(Specimen.id)
    )
    same = [one for one in session.scalars(query) if _tests(one) == set(tube.tests) and one.id not in matched]
    return same[0] if same else None


def _tests(specimen: Specimen) -> set[str]:
    return {ordered.test_code for ordered in specimen.tests}


def _act(order: NewOrder, tube: Tube, site: str, now: datetime, device: str) -> Act:
    payload = {
        "tests": list(tube.tests),
        "order_number": order.order_number,
        "priority": tube.priority or order.priority,
        "specimen_type": tube.specimen_type,
        "container": tube.container,
        "patient_ref": mask_name(order.patient_ref) if order.patient_ref else "",
        "sex": order.sex,
        "age": order.age,
        "department": order.department,
        "source": "api",
    }
    return Act(
        id=str(uuid.uuid4()),
        type="register",
        occurred_at=min(order.ordered_at or now, now),
        subject={"specimen": tube.accession} if tube.accession else {},
        payload={name: value for name, value in payload.items() if value},
        device=device,
        how="imported",
        site=site,
    )


def _refused(error: LabrelayError) -> Answer:
    return Answer("", Status.REFUSED, error.code, error.params, error.field)
