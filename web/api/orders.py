"""POST /api/v1/orders: orders from a laboratory system, one tube or many; sending again changes nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from flask_login import current_user

from logistics import clock
from logistics.db import transaction
from logistics.errors import Invalid, LabrelayError
from logistics.models import User
from logistics.services import order_intake
from logistics.services.order_intake import NewOrder, Taken, Tube
from web.access import access
from web.api.plain import listed, named, refuse_nul
from web.auth import audit, scope
from web.messages import sentence

blueprint = Blueprint("orders", __name__, url_prefix="/api/v1")
MAX_ORDERS = 500
MAX_TUBES = 40
MAX_TEXT = 64


class TubeIn(msgspec.Struct, forbid_unknown_fields=True):
    """One tube: codes of tests; the LIS's own barcode where there is one."""

    tests: list[str]
    accession: str | None = None
    priority: str | None = None
    specimen_type: str | None = None
    container: str | None = None


class OrderIn(msgspec.Struct, forbid_unknown_fields=True):
    """One order. ``ordered_at`` ISO 8601 with a zone; ``site`` code, else the caller's own."""

    order_number: str
    tubes: list[TubeIn]
    site: str | None = None
    priority: str = "routine"
    patient_ref: str = ""
    sex: str = ""
    age: str = ""
    department: str = ""
    ordered_at: str | None = None


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """Orders are read one by one, so that a bad one does not take the others with it."""

    orders: list[msgspec.Raw]


@blueprint.post("/orders")
@access("collector", "receiver")
def post_orders() -> Response:
    """Register orders. Answers per tube, in the order they were sent."""
    if request.mimetype != "application/json":
        raise Invalid("json_expected", field="orders")
    sent = listed(Envelope, MAX_ORDERS, malformed="orders_malformed", too_many="too_many_orders")
    entries = [read(raw) for raw in sent]
    readable = [entry for entry in entries if isinstance(entry, NewOrder)]
    with transaction() as session:
        actor = session.get_one(User, current_user.id)
        device = g.get("token_name", "")
        taken = order_intake.take(session, readable, actor=actor, scope=scope(), now=clock.now(), device=device[:64])
        made = sum(one.answer.status == "done" for one in taken)
        audit(session, "orders_received", actor.site_code or "", tubes=len(taken), new=made)
    return jsonify({"answers": _in_order(entries, taken)})


def _in_order(entries: list[NewOrder | dict[str, Any]], taken: list[Taken]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    rest = iter(taken)
    for entry in entries:
        if isinstance(entry, NewOrder):
            answers += [rendered(next(rest)) for _ in entry.tubes]
        else:
            answers.append(entry)
    return answers


def read(raw: msgspec.Raw) -> NewOrder | dict[str, Any]:
    """An order, or the refusal of one that cannot be read."""
    number = ""
    try:
        sent = msgspec.json.decode(raw, type=OrderIn)
        number = sent.order_number
        refuse_nul(msgspec.to_builtins(sent), field="orders")
        return to_order(sent)
    except msgspec.ValidationError as error:
        return refusal(
            number or named(raw, "order_number"),
            Invalid("order_malformed", field="orders", detail=str(error)),
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return refusal(number or named(raw, "order_number"), Invalid("json_malformed", field="orders"))
    except LabrelayError as error:
        return refusal(number, error)


def to_order(sent: OrderIn) -> NewOrder:
    number = _word(sent.order_number, "order_number")
    if number is None:
        raise Invalid("field_missing", field="order_number")
    if not 1 <= len(sent.tubes) <= MAX_TUBES:
        raise Invalid("order_tubes_count", field="tubes", maximum=MAX_TUBES)
    return NewOrder(
        order_number=number,
        tubes=tuple(_tube(tube) for tube in sent.tubes),
        site=_word(sent.site, "site"),
        priority=sent.priority,
        patient_ref=sent.patient_ref[:MAX_TEXT],
        sex=sent.sex[:MAX_TEXT],
        age=sent.age[:MAX_TEXT],
        department=sent.department[:MAX_TEXT],
        ordered_at=clock.parse_instant(sent.ordered_at, field="ordered_at") if sent.ordered_at else None,
    )


def _tube(sent: TubeIn) -> Tube:
    if not sent.tests:
        raise Invalid("field_missing", field="tests")
    return Tube(
        tests=tuple(dict.fromkeys(sent.tests)),
        accession=_word(sent.accession, "accession"),
        priority=sent.priority,
        specimen_type=_word(sent.specimen_type, "specimen_type"),
        container=_word(sent.container, "container"),
    )


def _word(value: str | None, field: str) -> str | None:
    """A short code without control characters: it will stand on a label."""
    text = (value or "").strip()
    if len(text) > MAX_TEXT or not text.isprintable():
        raise Invalid("field_malformed", field=field)
    return text or None


def refusal(order_number: str, error: LabrelayError) -> dict[str, Any]:
    return {
        "order_number": order_number,
        "accession": None,
        "status": "refused",
        "code": error.code,
        "sentence": sentence(error.code, error.params),
        "field": error.field,
        "params": error.params,
        "result": {},
    }


def rendered(taken: Taken) -> dict[str, Any]:
    answer = taken.answer
    return {
        "order_number": taken.order_number,
        "accession": taken.accession,
        "status": answer.status.value,
        "code": answer.code,
        "sentence": sentence(answer.code, answer.params),
        "field": answer.field,
        "params": dict(answer.params),
        "result": dict(answer.result),
    }
