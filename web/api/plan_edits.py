"""Edits of a draft over the API: what a move would do, making it, marks, undo, improving it in the background."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, jsonify, request
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock, tasks
from logistics.clock import wall_now
from logistics.db import db, transaction
from logistics.errors import Invalid
from logistics.models import Plan
from logistics.queries import dispatch as queries
from logistics.queries import plan_compare
from logistics.services import (
    planning,
    planning_edit,
    planning_improve,
    planning_remedy,
    planning_replan,
    planning_versions,
)
from logistics.services.planning_edit import Effect, MoveRefused
from web.access import access
from web.api.plans import READERS, travel, under_way
from web.auth import audit, scope
from web.planwords import Words
from web.rendering import locale

blueprint = Blueprint("plan_edits", __name__, url_prefix="/api/v1/plans")
MOST_REQUESTS = 200


class EffectsIn(msgspec.Struct, forbid_unknown_fields=True):
    """``requests``: what is moved together. ``deliveries``: only where they are handed over."""

    requests: list[str]
    revision: int
    deliveries: bool = False


class EditIn(msgspec.Struct, forbid_unknown_fields=True):
    """One edit. ``revision``: the state of the draft that the dispatcher saw."""

    action: str
    revision: int
    requests: list[str] = []
    courier: str = ""
    before: int | None = None
    deliveries: bool = False
    on: bool = True
    plan: int | None = None
    remedy: int | None = None


class ImproveIn(msgspec.Struct, forbid_unknown_fields=True):
    revision: int
    seconds: float = planning.DEFAULT_SECONDS
    name: str = ""


class ReplanIn(msgspec.Struct, forbid_unknown_fields=True):
    """``out``: usernames of couriers who cannot drive any more today, because of a broken car for instance."""

    out: list[str] = []
    seconds: float = planning_replan.SECONDS


def read(kind: type[Any]) -> Any:
    """The body as ``kind``. Raises Invalid."""
    try:
        found = msgspec.json.decode(request.get_data(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("edit_body_malformed", field="action") from None
    if len(getattr(found, "requests", ())) > MOST_REQUESTS:
        raise Invalid("edit_body_malformed", field="requests")
    return found


def words_of(session: Session, row: Plan) -> Words:
    """Names of everything that the plan's problem speaks of."""
    sites = queries.site_names(session, [one["id"] for one in row.problem.get("sites", ())], locale())
    people = queries.user_names(session, [one["id"] for one in row.problem.get("couriers", ())], locale())
    return Words(sites, people)


def _sites_of(row: Plan) -> dict[str, str]:
    return {one["id"]: one["pickup_site"] for one in row.problem.get("requests", ())}


def effect_json(effect: Effect, words: Words, sites: dict[str, str]) -> dict[str, Any]:
    return {
        "before": effect.before,
        "fits": effect.fits,
        "same": effect.same,
        "extra_s": effect.extra_s,
        "extra_m": effect.extra_m,
        "work_s": effect.work_s,
        "cost": effect.cost,
        "later_s": effect.later_s,
        "later_site": words.site(effect.later_site) if effect.later_site else None,
        "pickup_s": effect.pickup_s,
        "broken": [words.broken(one.code, sites.get(one.request_id or ""), one.by_s) for one in effect.broken],
    }


@blueprint.post("/<int:plan_id>/effects")
@access("dispatcher")
def effects(plan_id: int) -> Response:
    """What it would do to put these requests with each courier at each place. Changes nothing."""
    sent = read(EffectsIn)
    session = db.session()
    row = planning.visible(session, plan_id, scope())
    planning_versions.expect(row, sent.revision)
    found = planning_edit.effects(row, sent.requests, travel(), deliveries=sent.deliveries)
    words, sites = words_of(session, row), _sites_of(row)
    couriers = [
        {
            "courier": one.courier,
            "name": words.person(one.courier),
            "best": effect_json(one.best, words, sites),
            "places": [effect_json(place, words, sites) for place in one.places],
        }
        for one in found
    ]
    return jsonify({"plan": row.id, "revision": row.revision, "couriers": couriers})


@blueprint.post("/<int:plan_id>/edits")
@access("dispatcher")
def edit(plan_id: int) -> Response | tuple[Response, int]:
    """Make one edit. A move that breaks rules is refused with each of them in words."""
    sent = read(EditIn)
    try:
        with transaction() as session:
            row = planning.visible(session, plan_id, scope(), lock=True)
            planning_versions.expect(row, sent.revision)
            _apply(session, row, sent)
            audit(session, "plan_edited", str(plan_id), edit=sent.action, version=row.version)
            answer = {"id": row.id, "revision": row.revision, "version": row.version}
    except MoveRefused as refused:
        return _refused(plan_id, refused), 409
    return jsonify(answer)


def _apply(session: Session, row: Plan, sent: EditIn) -> None:
    by, now = current_user.username, clock.now()
    if sent.action == "move":
        planning_edit.move(
            session, row, sent.requests, courier=sent.courier, before=sent.before, deliveries=sent.deliveries,
            travel=travel(), by=by, now=now,
        )  # fmt: skip
    elif sent.action == "leave_out":
        planning_edit.leave_out(session, row, sent.requests, travel=travel(), by=by, now=now)
    elif sent.action == "pin":
        planning_edit.pin(session, row, sent.requests, on=sent.on, travel=travel(), by=by, now=now)
    elif sent.action == "lock":
        planning_edit.lock(session, row, sent.courier, on=sent.on, by=by, now=now)
    elif sent.action == "undo":
        planning_versions.undo(session, row)
    elif sent.action == "redo":
        planning_versions.redo(session, row)
    elif sent.action == "take_over":
        other = planning.visible(session, sent.plan or 0, scope())
        planning_edit.take_over(session, row, other, by=by, now=now)
    elif sent.action == "remedy":
        wanted = "".join(sent.requests[:1])
        planning_remedy.apply(session, row, wanted, sent.remedy or 0, travel=travel(), by=by, now=now)
    else:
        raise Invalid("edit_unknown", field="action", action=sent.action[:40])


def _refused(plan_id: int, refused: MoveRefused) -> Response:
    session = db.session()
    row = planning.visible(session, plan_id, scope())
    words, sites = words_of(session, row), _sites_of(row)
    said = [words.broken(one.code, sites.get(one.request_id or ""), one.by_s) for one in refused.broken]
    return jsonify({"code": refused.code, "sentence": " ".join(said), "field": refused.field, "broken": said})


@blueprint.post("/<int:plan_id>/improve")
@access("dispatcher")
def improve(plan_id: int) -> tuple[Response, int]:
    """Search on from this draft in the background; the answer is a plan of its own beside it."""
    sent = read(ImproveIn)
    with transaction() as session:
        row = planning.visible(session, plan_id, scope(), lock=True)
        planning_versions.expect(row, sent.revision)
        child, job = planning_improve.order(
            session, row, seconds=sent.seconds, by=current_user.username, now=clock.now(), wall=wall_now(),
            name=sent.name.strip()[:80],
        )  # fmt: skip
        audit(session, "plan_improved", str(plan_id), plan=child.id)
        answer = under_way(child, job)
    tasks.send(answer["job"])
    return jsonify(answer), 201


@blueprint.post("/<int:plan_id>/replan")
@access("dispatcher")
def replan(plan_id: int) -> tuple[Response, int]:
    """Plan what is left of the day anew from where everybody is; a draft beside the plan that is driven."""
    sent = read(ReplanIn)
    planning.check_seconds(sent.seconds)
    with transaction() as session:
        row = planning.visible(session, plan_id, scope(), lock=True)
        fresh, job = planning_replan.order(
            session, row, out=sent.out, seconds=sent.seconds, job_kind=planning.JOB_KIND, by=current_user.username,
            now=clock.now(), wall=wall_now(),
        )  # fmt: skip
        audit(session, "plan_replanned", str(plan_id), plan=fresh.id)
        answer = under_way(fresh, job)
    tasks.send(answer["job"])
    return jsonify(answer), 201


@blueprint.get("/<int:plan_id>/compare/<int:other_id>")
@access(*READERS)
def compare(plan_id: int, other_id: int) -> Response:
    """Both plans, and the requests that another courier or another time has in the second."""
    session = db.session()
    a, b = (planning.visible(session, one, scope()) for one in (plan_id, other_id))
    return jsonify(plan_compare.compare(session, a, b, locale()))


@blueprint.get("/<int:plan_id>/changes")
@access(*READERS)
def changes(plan_id: int) -> Response:
    """What publishing this plan would change for each courier against what he drives now."""
    session = db.session()
    row = planning.visible(session, plan_id, scope())
    current = planning.published(session, row.day, row.scope_code)
    found = plan_compare.by_courier(plan_compare.changes(session, current, row, locale()))
    return jsonify({"plan": row.id, "replaces": current.id if current else None, "couriers": found})
