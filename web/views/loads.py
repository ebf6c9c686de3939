"""Loads on the way back: the laboratory makes them up and sends them, the township receives them, and where the
empty boxes are."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db, transaction
from logistics.domain.acts import Act, Answer, Status
from logistics.errors import Conflict, Invalid, LabrelayError
from logistics.models import Act as ActRow
from logistics.models import Box, Item, User
from logistics.models.items import ITEM_KINDS
from logistics.queries import loads as queries
from logistics.queries import worklists
from logistics.services import custody, legs
from web import auth, load_words, personal
from web.access import access
from web.auth import scope
from web.errors import status_of
from web.forms import NO_PROBLEM, Page, Problem, attempt, typed
from web.messages import sentence_of
from web.views import blind_samples, office

blueprint = Blueprint("loads", __name__, url_prefix="/loads")

LABORATORY = ("receiver", "manager")
MOST_SITES = 200


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"load_words": load_words}


# --- the laboratory sends ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Batch:
    """What waits for one site in one temperature class, and the box or bag proposed for it."""

    key: str
    hop: str
    temp_class: str | None
    items: Sequence[Item]
    goal: queries.Goal | None
    carriers: Sequence[Box]
    proposed: str


@blueprint.get("/")
@access(*LABORATORY)
def send() -> str:
    """Make up loads for many townships, pack and seal them, send empty boxes home."""
    return _send_page(NO_PROBLEM, {})


def _send_page(problem: Problem, troubles: Mapping[str, str]) -> str:
    """``problem``: why the item was refused; ``troubles``: by batch, why it was not packed. What was typed stays."""
    session = db.session()
    now = clock.now()
    site = office.own_site()
    goals = queries.goals(session, site, now=now)
    carriers = queries.carriers(session, site)
    outgoing = queries.outgoing(session, site, now=now)
    return render_template(
        "loads/send.html",
        goals=goals,
        batches=_batches(session, site, goals, carriers),
        homeward=[box for box in carriers if box.home_code != site],
        outgoing=outgoing,
        people=worklists.people(
            session, [*(goal.courier for goal in goals), *(load.consignment.holder for load in outgoing)]
        ),
        kinds=[(kind, load_words.kind_name(kind)) for kind in ITEM_KINDS],
        problem=problem,
        troubles=troubles,
        typed=request.form,
        value=typed(),
        chosen=set(request.form.getlist("site")),
        rows=set(request.form.getlist("row")),
        form_id=uuid.uuid4(),
        now=now,
    )


def _batches(session: Session, site: str, goals: Sequence[queries.Goal], carriers: Sequence[Box]) -> list[Batch]:
    """What waits, by next site and class; each is offered another box, one that goes home that way first."""
    by_site = {goal.site.code: goal for goal in goals}
    rows = [(legs.next_hop(session, site, item.destination_code), item) for item in queries.to_pack(session, site)]
    rows = [(hop, item) for hop, item in rows if not item.on_hold]

    def key(row: tuple[str, Item]) -> tuple[str, str]:
        return row[0], row[1].temp_class or ""

    found: list[Batch] = []
    taken: set[str] = set()
    for (hop, temp_class), group in groupby(sorted(rows, key=key), key=key):
        fitting = [box for box in carriers if not temp_class or (box.kind == "box" and box.temp_class == temp_class)]
        fitting.sort(key=lambda box: (box.home_code != hop, box.kind != "bag", box.code))
        proposed = next((box.code for box in fitting if box.code not in taken), "")
        taken.add(proposed)
        found.append(
            Batch(f"{hop}:{temp_class}", hop, temp_class or None, [item for _, item in group], by_site.get(hop),
                  fitting, proposed)
        )  # fmt: skip
    return found


@blueprint.post("/register")
@access(*LABORATORY)
def register() -> Page:
    """One item for each site that was chosen. That there is a blind sample inside, only a manager writes down."""

    def work(session: Session) -> Response:
        sites = list(dict.fromkeys(request.form.getlist("site")))
        if not sites or len(sites) > MOST_SITES:
            raise Invalid("items_none", field="site")
        payload = _payload()
        blind = blind_samples.asked()
        acts = [Act("", "register_item", clock.now(), {}, payload | {"destination": site}) for site in sites]
        answers = perform(session, acts)
        if blind is not None:
            blind_samples.make(session, [str(answer.result["item"]) for answer in answers], blind)
        flash(ngettext("%(num)d item registered.", "%(num)d items registered.", len(acts)), "ok")
        return redirect(url_for("loads.send") + "#pack")

    return attempt(work, lambda problem: _send_page(problem, {}))


def _payload() -> dict[str, Any]:
    """The item as the form tells it. Raises Invalid naming the field."""
    form = request.form
    try:
        quantity = int(form.get("quantity") or 1)
    except ValueError:
        raise Invalid("field_malformed", field="quantity") from None
    values: dict[str, Any] = {
        name: form.get(name, "").strip() for name in ("kind", "description", "temp_class", "lot", "expires_on")
    }
    return {**values, "quantity": quantity}


@blueprint.post("/pack")
@access("receiver")
def pack() -> Page:
    """Pack and seal the rows that were marked, each by itself: what does not fit stops only its own row."""
    rows = request.form.getlist("row")
    try:
        personal.refuse()
    except Invalid as error:
        field = error.field or ""
        if field.startswith("seal-"):
            return _send_page(NO_PROBLEM, {field.removeprefix("seal-"): sentence_of(error)}), status_of(error)
        return _send_page(Problem(error), {}), status_of(error)
    troubles = _packed(rows)
    if done := len(rows) - len(troubles):
        flash(ngettext("%(num)d load packed and sealed.", "%(num)d loads packed and sealed.", done), "ok")
    if not rows:
        flash(gettext("Choose at least one row."), "warn")
    if troubles:
        return _send_page(NO_PROBLEM, troubles), 409
    return redirect(url_for("loads.send") + "#pack")


def _packed(rows: Sequence[str]) -> dict[str, str]:
    """Packs them; the sentence for each that was refused."""
    troubles: dict[str, str] = {}
    for key in rows:
        try:
            with transaction() as session:
                _pack_row(session, key)
        except LabrelayError as error:
            troubles[key] = sentence_of(error)
    return troubles


def _pack_row(session: Session, key: str) -> None:
    box, seal = (request.form.get(f"{name}-{key}", "").strip().upper() for name in ("box", "seal"))
    if not box:
        raise Invalid("carrier_missing", field="box")
    if not seal:
        raise Invalid("seal_missing", field="seal")
    now = clock.now()
    numbers = request.form.getlist(f"item-{key}")
    packing = [Act("", "pack_item", now, {"item": number, "box": box}, how="ticked") for number in numbers]
    perform(session, [*packing, Act("", "seal", now, {"box": box}, {"seal": seal})])


@blueprint.post("/boxes-home")
@access("collector", "receiver")
def boxes_home() -> Response:
    """Send empty boxes and bags home; each is a return load of its own, signed for on both sides."""
    personal.refuse()
    sent, chosen = 0, request.form.getlist("box")
    if not chosen:
        flash(gettext("Choose at least one box."), "warn")
    for code in chosen:
        try:
            with transaction() as session:
                perform(session, [Act("", "return_box", clock.now(), {"box": code}, how="ticked")])
            sent += 1
        except LabrelayError as error:
            flash(sentence_of(error), "danger")
    if sent:
        flash(ngettext("%(num)d box goes home.", "%(num)d boxes go home.", sent), "ok")
    back = "loads.incoming" if current_user.role == "collector" else "loads.send"
    return redirect(url_for(back))


def perform(session: Session, acts: Sequence[Act]) -> list[Answer]:
    """Record the acts of one form, all or none. The same form sent twice does nothing twice.

    Raises Conflict with the code of the first that was refused.
    """
    form_id = _form_id()
    named = [
        _named(session, act, f"{index}:{act.type}:{sorted(act.subject.items())}:{sorted(act.payload.items())}", form_id)
        for index, act in enumerate(acts)
    ]
    answers = custody.record(
        session, named, actor=session.get_one(User, current_user.id), scope=scope(), now=clock.now()
    )
    for answer in answers:
        if answer.status not in {Status.DONE, Status.DUPLICATE}:
            raise Conflict(answer.code, field=answer.field, **answer.params)
    return answers


def _named(session: Session, act: Act, name: str, form_id: uuid.UUID) -> Act:
    """The act under the id of this form; at the second click it happened when it happened at the first."""
    act_id = str(uuid.uuid5(form_id, name))
    known = session.get(ActRow, act_id)
    return replace(act, id=act_id, occurred_at=known.occurred_at if known is not None else act.occurred_at)


def _form_id() -> uuid.UUID:
    try:
        return uuid.UUID(request.form.get("form_id", ""))
    except ValueError:
        raise Invalid("act_id_malformed", field="form_id") from None


# --- the township receives --------------------------------------------------------------------------------


@blueprint.get("/incoming")
@access("collector", *LABORATORY)
def incoming() -> str:
    """What comes down to this site: sign for it, scan or tick each item, say its condition, finish."""
    session = db.session()
    now = clock.now()
    site = office.own_site()
    found = queries.coming(session, site, now=now)
    return render_template(
        "loads/incoming.html",
        loads=found,
        site=site,
        people=worklists.people(session, [load.consignment.holder for load in found]),
        homeward=[box for box in queries.carriers(session, site) if box.home_code != site],
        outgoing=queries.outgoing(session, site, now=now) if current_user.role == "collector" else [],
        form_id=uuid.uuid4(),
        now=now,
    )


@blueprint.get("/items/<number>")
@access("collector", "courier", "dispatcher", "auditor", *LABORATORY)
def item(number: str) -> str:
    """An item from its registration on. That it holds a blind sample, its laboratory's managers alone see; logged."""
    session = db.session()
    found = queries.item(session, scope(), number)
    events = queries.item_events(session, number)
    key = queries.blind_key(session, found, current_user)
    page = render_template(
        "loads/item.html",
        item=found,
        events=events,
        key=key,
        people=worklists.people(
            session, [found.holder, key.made_by if key else None, *(event.actor for event in events)]
        ),
        now=clock.now(),
    )
    if key is not None:
        with transaction() as writing:
            auth.audit(writing, "blind_read", key.id)
    return page


# --- where the boxes are ----------------------------------------------------------------------------------


@blueprint.get("/boxes")
@access("dispatcher", "administrator", "auditor", *LABORATORY)
def boxes() -> str:
    """How many boxes stand at each site against how many belong there, and which should have gone home."""
    session = db.session()
    fleet = queries.fleet(session, scope())
    return render_template(
        "loads/boxes.html",
        fleet=fleet,
        people=worklists.people(session, [box.holder for box in fleet.on_the_road]),
        now=clock.now(),
    )
