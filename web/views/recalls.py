"""Recalls: what is to be found and where it is, a new recall, and 'it is in hand'."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import catalogue, clock
from logistics.db import db, transaction
from logistics.domain import numbers
from logistics.domain.acts import Act, Status
from logistics.errors import Invalid
from logistics.models import Act as ActRow
from logistics.models import Reason, Site, Specimen, Test, User
from logistics.queries import journey, worklists
from logistics.queries.records import specimens_in
from logistics.services import custody, recall, recall_bulk
from logistics.services.orders import local_day
from logistics.services.reasons import RECALL
from logistics.services.recall_bulk import Wanted
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, typed
from web.messages import sentence
from web.rendering import locale


def _choice(thing: Site | Test | Reason) -> tuple[str, str]:
    return thing.code, thing.name(locale())


blueprint = Blueprint("recalls", __name__, url_prefix="/recalls")
blueprint.record(lambda state: state.app.jinja_env.filters.update(choice=_choice))
READERS = ("collector", "dispatcher", "receiver", "manager", "auditor")
FINDERS = ("collector", "receiver", "manager")
ASKED = ("consignment", "numbers", "site", "test", "container", "day")
MAX_ROWS = 500


@blueprint.get("")
@access(*READERS)
def listing() -> Page:
    """Recalled tubes that are to be found, and the recalls they belong to. For a manager the form of a new one.

    Query: consignment (its number or its box), numbers, site, test, container, day.
    """
    return _page(NO_PROBLEM)


def _page(problem: Problem) -> Page:
    """``problem``: why the recall that was sent was refused; its form is shown again as it was."""
    session = db.session()
    may_recall = current_user.role == "manager"
    wanted, found = Wanted(), []
    if may_recall:
        try:
            wanted = _wanted()
            found = [] if wanted.empty else recall_bulk.candidates(session, scope(), wanted)
        except Invalid as error:
            problem = problem or Problem(error)
    rows = _missing(session)
    page = render_template(
        "recalls/listing.html",
        rows=rows,
        people=worklists.people(session, [one.holder for one in rows]),
        reasons={reason.code: reason for reason in session.scalars(select(Reason))},
        incidents=recall.listing(session, scope()) if current_user.role != "collector" else [],
        may_recall=may_recall,
        may_find=current_user.role in FINDERS,
        home=current_user.site_code,
        asked=_asked(),
        wanted=wanted,
        problem=problem,
        found=found[: recall_bulk.MAX_TUBES],
        absent=_absent(wanted, found),
        chosen=set(request.form.getlist("tube")) if request.method == "POST" else None,
        value=typed(),
        too_many=len(found) > recall_bulk.MAX_TUBES,
        choices=_choices(session) if may_recall else {},
        new_id=uuid.uuid4,
        now=clock.now(),
    )
    return page, problem.status


def _missing(session: Session) -> list[Specimen]:
    """Recalled tubes in the reader's scope that nobody has in hand, longest first."""
    query = specimens_in(scope(), current_user.username).where(Specimen.state == "recalled")
    return list(session.scalars(query.order_by(Specimen.state_since, Specimen.id).limit(MAX_ROWS)))


def _asked() -> dict[str, str]:
    """What was asked for, as it was typed."""
    return {name: value for name in ASKED if (value := request.args.get(name, "").strip())}


def _wanted() -> Wanted:
    """Raises Invalid for more numbers than one recall may hold: none is left out in silence."""
    given = request.args
    named = given.get("numbers", "").replace(",", " ").replace("，", " ").replace("、", " ").split()
    if len(named) > recall_bulk.MAX_TUBES:
        raise Invalid("recall_too_many", field="numbers", limit=recall_bulk.MAX_TUBES)
    return Wanted(
        consignment=given.get("consignment", "").strip()[:64],
        site=given.get("site", "")[:40],
        test=given.get("test", "")[:40],
        container=given.get("container", "")[:40],
        day=given.get("day", "").strip()[:20],
        numbers=tuple(sorted({numbers.normalise(one) for one in named})),
    )


def _absent(wanted: Wanted, found: Sequence[Specimen]) -> list[str]:
    """Numbers that were asked for and stand in no row: somebody must know that they are not recalled."""
    there = {tube.accession_key for tube in found}
    return [one for one in wanted.numbers if one not in there] if len(found) <= recall_bulk.MAX_TUBES else []


def _choices(session: Session) -> dict[str, Any]:
    own = scope()
    sites = session.scalars(select(Site).where(Site.active, Site.code.in_(sorted(own.sites))).order_by(Site.code)).all()
    reasons = select(Reason).where(Reason.kind == RECALL, Reason.active).order_by(Reason.position, Reason.code)
    return {
        "sites": sites,
        "laboratories": [site for site in sites if site.tier != "township"],
        "tests": session.scalars(select(Test).where(Test.active).order_by(Test.code)).all(),
        "containers": [
            (one.code, one.name_en if locale() == "en" else one.name_zh) for one in catalogue.load_containers()
        ],
        "reasons": session.scalars(reasons).all(),
        "today": local_day(clock.now()).isoformat(),
    }


@blueprint.post("")
@access("manager")
def new() -> Page:
    """Recall the chosen tubes. Form: id (UUID made with the page), tube (ids, repeated), reason, note, bring_to; the
    query is that of the page, so that a refusal shows it again as it was."""
    now = clock.now()
    tubes = [int(value) for value in request.form.getlist("tube") if value.isdecimal() and len(value) < 10]
    payload = {name: request.form.get(name, "").strip() for name in ("reason", "note", "bring_to")}
    try:
        with transaction() as session:
            actor = session.get_one(User, current_user.id)
            made = recall_bulk.bulk(
                session, request.form.get("id", ""), tubes, payload, actor=actor, scope=scope(), now=now
            )
            if made.done:
                audit(session, "recalled", request.form["id"], tubes=made.done, reason=payload["reason"])
    except Invalid as error:
        return _page(Problem(error))
    if not made.done:
        answer = made.refused[0][1]
        return _page(Problem(Invalid(answer.code, field=answer.field, **answer.params)))
    told = ngettext("%(num)d tube recalled. Couriers and laboratories see it now.",
                    "%(num)d tubes recalled. Couriers and laboratories see it now.", made.done)  # fmt: skip
    flash(told, "ok")
    for _, answer in made.refused[:3]:
        flash(sentence(answer.code, dict(answer.params)), "danger")
    if len(made.refused) > 3:
        flash(gettext("and %(n)s more were refused.", n=len(made.refused) - 3), "danger")
    return redirect(url_for("recalls.listing"))


@blueprint.post("/<int:specimen_id>/returned")
@access(*FINDERS)
def returned(specimen_id: int) -> Response:
    """The tube is in hand at the user's site. Form: id (UUID made with the page)."""
    try:
        act_id = str(uuid.UUID(request.form.get("id", "")))
    except ValueError:
        raise Invalid("act_id_malformed", field="id") from None
    with transaction() as session:
        journey.visible(session, scope(), current_user.username, specimen_id)
        actor = session.get_one(User, current_user.id)
        now = clock.now()
        act = Act(
            act_id, "returned", _first(session, act_id, now), {"specimen_id": specimen_id}, how="ticked",
            site=actor.site_code,
        )  # fmt: skip
        answer = custody.record(session, [act], actor=actor, scope=scope(), now=now)[0]
    if answer.status in {Status.DONE, Status.DUPLICATE}:
        flash(gettext("%(number)s is in hand and set aside.", number=answer.result["specimen"]), "ok")
    else:
        flash(sentence(answer.code, dict(answer.params)), "danger")
    return redirect(url_for("recalls.listing"))


def _first(session: Session, act_id: str, now: datetime) -> datetime:
    """A second click is the same act, not a later one."""
    known = session.get(ActRow, act_id)
    return known.occurred_at if known else now
