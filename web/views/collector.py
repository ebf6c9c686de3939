"""Pages of the collecting site: worklist, new orders, packing, outcomes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from logistics import clock
from logistics.db import db, transaction
from logistics.domain import seals
from logistics.domain.acts import Act, Answer, Status
from logistics.errors import Conflict, Invalid, LabrelayError
from logistics.imports.text import clean, identifier, mask_name
from logistics.models import Act as ActRow
from logistics.models import Box, Consignment, Reason, Test, User
from logistics.queries import worklists
from logistics.services import custody, legs
from web import patients, personal
from web.access import access
from web.auth import scope
from web.errors import status_of
from web.label_words import REPRINT_REASONS
from web.messages import sentence_of
from web.rendering import locale
from web.views import office

blueprint = Blueprint("collector", __name__, url_prefix="/collector")
blueprint.record_once(office.install_filters)
FIELDS = ("accession", "patient_ref", "sex", "age", "department", "priority", "tests", "order_number")
STICKY = ("department", "priority", "tests")
SHOWN_RECENT = 8


@blueprint.get("/")
@access("collector")
def worklist() -> str:
    """Today's tubes of the site and older ones that never left."""
    query = request.args.get("q", "").strip()[:64]
    now = clock.now()
    session = db.session()
    rows = worklists.worklist(session, scope(), now=now, query=query)
    again = worklists.replacements(session, [row.id for row in rows])
    page = render_template(
        "collector/worklist.html",
        rows=rows,
        again=again,
        refused=worklists.refusals(session, rows),
        reason_names=reason_names(session),
        counts=worklists.counts(session, scope(), now=now),
        groups=worklists.GROUPS,
        group_of={state: name for name, states in worklists.GROUPS.items() for state in states},
        query=query,
        reasons=worklists.reasons(session, "collection"),
        printed=request.args.get("printed"),
        reprint_words=REPRINT_REASONS,
        now=now,
    )
    patients.log_page(rows, "worklist")
    return page


# --- new orders -------------------------------------------------------------------------------------------


@dataclass
class OrderForm:
    """What was typed; ``id`` makes a second click the same act."""

    id: str
    values: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    error_field: str | None = None

    @property
    def tests(self) -> list[str]:
        return [code for code in self.values.get("tests", "").split(",") if code]


@blueprint.get("/orders/new")
@access("collector")
def new_order() -> str:
    """An empty form; department, priority and, when asked for, the tests of the order before stay."""
    kept = {name: request.args.get(name, "")[:400] for name in STICKY}
    return _order_page(OrderForm(str(uuid.uuid4()), kept))


@blueprint.post("/orders/new")
@access("collector")
def save_order() -> WerkzeugResponse | tuple[str, int]:
    """Register the tubes that the tests need, all or none, and go on with an empty form."""
    form = OrderForm(request.form.get("id", ""), {name: clean(request.form.get(name, "")) for name in FIELDS})
    try:
        personal.refuse()
        made = _register(form)
    except LabrelayError as error:
        form.error, form.error_field = sentence_of(error), error.field
        if error.code == "order_sent_before":
            form.id = str(uuid.uuid4())
        return _order_page(form), status_of(error)
    flash(ngettext("%(num)d tube registered: %(numbers)s", "%(num)d tubes registered: %(numbers)s", len(made),
                   numbers=", ".join(made)), "ok")  # fmt: skip
    kept = {name: form.values[name] for name in STICKY if name != "tests" or request.form.get("keep_tests")}
    if request.form.get("keep_tests"):
        kept["keep"] = "1"
    return redirect(f"{url_for('collector.new_order')}?{urlencode(kept)}")


def _order_page(form: OrderForm) -> str:
    session = db.session()
    now = clock.now()
    recent = [row for row in worklists.worklist(session, scope(), now=now) if row.state == "registered"]
    recent = sorted(recent, key=lambda row: (row.registered_at, row.id), reverse=True)[:SHOWN_RECENT]
    page = render_template(
        "collector/order.html",
        form=form,
        keep=request.values.get("keep") or request.values.get("keep_tests"),
        tests=test_list(session),
        recent=recent,
        counts=worklists.counts(session, scope(), now=now),
    )
    patients.log_page(recent, "new_order")
    return page


def test_list(session: Session) -> list[dict[str, str]]:
    """The catalogue as the type-ahead searches it."""
    return [
        {
            "code": test.code,
            "name": test.name(locale()),
            "other": " ".join((test.name_zh, test.name_en, test.short_zh)),
            "short": test.code if locale() == "en" else (test.short_zh or test.name_zh),
            "tube": f"{test.specimen_type}/{test.container}/{test.temp_class}",
            "type": office.type_name(test.specimen_type),
            "container": office.container_name(test.container),
            "cap": office.cap_colour(test.container),
            "temp_class": test.temp_class,
            "lab": office.site_name(lab),
        }
        for test, lab in worklists.orderable_tests(session, office.own_site())
    ]


def tubes_for(session: Session, codes: Sequence[str], site: str) -> list[list[str]]:
    """The tests of an order grouped into tubes: one tube for each material, container and temperature class.

    Where no single laboratory does all of a group, the group is divided by the nearest laboratory of each test.
    Raises Invalid('field_missing') or Invalid('test_unknown').
    """
    if not codes:
        raise Invalid("order_without_tests", field="tests")
    known = {test.code: (test, lab) for test, lab in worklists.orderable_tests(session, site)}
    groups: dict[tuple[str, ...], list[str]] = {}
    for code in dict.fromkeys(codes):
        if code not in known:
            raise Invalid("test_unknown", field="tests", test=code[:40])
        groups.setdefault(_tube_key(known[code][0]), []).append(code)
    tubes: list[list[str]] = []
    for group in groups.values():
        tubes += _by_laboratory(session, group, site)
    return tubes


def _tube_key(test: Test) -> tuple[str, ...]:
    return (test.specimen_type, test.container, test.temp_class, test.stage)


def _by_laboratory(session: Session, group: list[str], site: str) -> list[list[str]]:

    try:
        legs.laboratory_for(session, group, site)
        return [group]
    except Invalid:
        divided: dict[str, list[str]] = {}
        for code in group:
            divided.setdefault(legs.laboratory_for(session, [code], site), []).append(code)
        return list(divided.values())


def _register(form: OrderForm) -> list[str]:
    """Record one act a tube; raises the first refusal, and then nothing is kept."""
    try:
        form_id = uuid.UUID(form.id)
    except ValueError:
        raise Invalid("act_id_malformed", field="id") from None
    values = form.values
    with transaction() as session:
        tubes = tubes_for(session, form.tests, office.own_site())
        accession = identifier(values["accession"]) or None
        if accession and len(tubes) > 1:
            raise Invalid("order_needs_numbers", field="accession", tubes=len(tubes))
        form.values["patient_ref"] = mask_name(values["patient_ref"])
        payload = {name: values[name] for name in ("sex", "age", "department", "priority")}
        payload |= {"patient_ref": form.values["patient_ref"], "source": "typed"}
        payload["order_number"] = values["order_number"] or (f"T{form_id.hex[:12].upper()}" if len(tubes) > 1 else "")
        now = clock.now()
        acts = [
            Act(str(uuid.uuid5(form_id, str(index))), "register", now, {"specimen": accession} if accession else {},
                payload | {"tests": tests})
            for index, tests in enumerate(tubes)
        ]  # fmt: skip
        return record_all(session, acts, now)


def record_all(session: Session, acts: Sequence[Act], now: datetime) -> list[str]:
    """Record the acts of one form, all or none. Returns the tubes' numbers.

    Raises Conflict('order_sent_before') when this form was sent before with other content.
    """
    before = [_answered_before(session, act) for act in acts]
    if all(answer is not None for answer in before):
        return [str(answer.result["specimen"]) for answer in before if answer is not None]
    actor = session.get_one(User, current_user.id)
    numbers = []
    for answer in custody.record(session, acts, actor=actor, scope=scope(), now=now):
        if answer.status not in {Status.DONE, Status.DUPLICATE}:
            raise Invalid(answer.code, field=answer.field, **answer.params)
        numbers.append(str(answer.result["specimen"]))
    return numbers


def _answered_before(session: Session, act: Act) -> Answer | None:
    """The answer that the same form got at the first click; its time of day does not count."""
    known = session.get(ActRow, act.id)
    if known is None or known.username != current_user.username:
        return None
    same = Act(act.id, act.type, known.occurred_at, act.subject, act.payload)
    if known.body != same.kept_text() or known.status != Status.DONE.value:
        raise Conflict("order_sent_before", field="id")
    return Answer.from_text(act.id, known.answer)


# --- packing ----------------------------------------------------------------------------------------------


@blueprint.get("/pack")
@access("collector")
def box() -> str:
    """Scan a box, then tubes; seal; say 'ready'."""
    return pack_page("collector/pack.html")


def pack_page(template: str, **more: Any) -> str:
    """The pack page of a collecting site or of a laboratory that forwards."""
    session = db.session()
    now = clock.now()
    site = office.own_site()
    loads = worklists.loads(session, scope(), now=now)
    names = [name for load in loads for name in (load.consignment.holder, load.consignment.opened_by)]
    return render_template(
        template,
        state=pack_state(session, request.args.get("box", "").strip()[:64]),
        loads=loads,
        boxes=worklists.boxes_here(session, site),
        people=worklists.people(session, names),
        pickup=worklists.pickup_today(session, site, now=now),
        urgent=worklists.urgent_open(session, site, now=now),
        now=now,
        **more,
    )


@blueprint.get("/pack.json")
@access("collector")
@office.json_errors
def pack_json() -> Response:
    """The box that was scanned with what is in it, and what still waits to be packed."""
    return jsonify(pack_state(db.session(), request.args.get("box", "").strip()[:64], strict=True))


def pack_state(session: Session, code: str, *, strict: bool = False) -> dict[str, Any]:
    """Raises NotFound or Conflict for a box that cannot be packed here, when ``strict``."""
    site = office.own_site()
    waiting = [office.tube_json(one) for one in worklists.packable(session, site)]
    state: dict[str, Any] = {"site": site, "waiting": waiting, "box": None, "consignment": None, "tubes": []}
    if not code:
        return state
    try:
        found, consignment = worklists.box_here(session, site, code)
    except LabrelayError:
        if strict:
            raise
        return state
    state["box"] = _box_json(found)
    if consignment is not None:
        state["consignment"] = consignment_json(consignment)
        state["tubes"] = [office.tube_json(one) for one in worklists.contents(session, consignment.number)]
    return state


def _box_json(found: Box) -> dict[str, Any]:
    return {
        "code": found.code,
        "temp_class": found.temp_class,
        "capacity": found.capacity,
        "label_url": url_for("labels.box", code=found.code),
    }


def consignment_json(one: Consignment) -> dict[str, Any]:
    return {
        "number": one.number,
        "state": one.state,
        "destination": one.destination_code,
        "destination_name": office.site_name(one.destination_code),
        "seal": seals.shown(one.seal_number, scope(), one),
        "priority": one.priority,
        "version": one.manifest_version,
        "manifest_url": url_for("labels.manifest", number=one.number),
        "label_url": url_for("labels.consignment", number=one.number),
    }


# --- outcomes ---------------------------------------------------------------------------------------------


@blueprint.get("/outcomes")
@access("collector")
def outcomes() -> str:
    """What became of the tubes of yesterday and today, what went wrong first."""
    session = db.session()
    now = clock.now()
    days = 7 if request.args.get("days") == "7" else 2
    rows = worklists.outcomes(session, scope(), now=now, days=days)
    ids = [row.id for row in rows]
    page = render_template(
        "collector/outcomes.html",
        rows=rows,
        again=worklists.replacements(session, ids),
        findings=worklists.findings(session, ids),
        reason_names=reason_names(session),
        bad=frozenset(worklists.BAD),
        days=days,
        now=now,
    )
    patients.log_page(rows, "outcomes")
    return page


def reason_names(session: Session) -> Mapping[str, str]:
    """Every coded reason in the reader's language."""

    return {reason.code: reason.name(locale()) for reason in session.scalars(select(Reason))}
