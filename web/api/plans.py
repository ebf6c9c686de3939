"""Plans over the API: order, follow, stop, publish; urgent calls beside a published plan; the live board."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, jsonify, request
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock, tasks
from logistics.clock import wall_now
from logistics.db import db, transaction
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Job, Pickup, Plan
from logistics.planning_job import provider
from logistics.queries import board as board_queries
from logistics.queries import dispatch as queries
from logistics.queries.dispatch import iso
from logistics.services import legs, network, planning, planning_insert, planning_remedy
from routing.travel import TravelProvider
from telemetry import queries as telemetry
from web.access import access
from web.auth import audit, scope
from web.planwords import Words
from web.rendering import locale

blueprint = Blueprint("plans_api", __name__, url_prefix="/api/v1")
READERS = ("dispatcher", "manager", "administrator", "auditor")


def travel() -> TravelProvider:
    """The provider that plans of this installation are made with."""
    return provider(db.session(), current_app.extensions["labrelay.settings"].osrm_url)


class PlanIn(msgspec.Struct, forbid_unknown_fields=True):
    """``day`` YYYY-MM-DD (local), ``scope`` code of a county centre or the city, ``seconds`` of search; ``each``: a
    plan for each county of the scope by itself, at once."""

    day: str
    scope: str
    seconds: float = planning.DEFAULT_SECONDS
    name: str = ""
    each: bool = False


class InsertIn(msgspec.Struct, forbid_unknown_fields=True):
    """``courier``: username of the offer that is taken; without it the best one."""

    courier: str | None = None


@blueprint.get("/plans")
@access(*READERS)
def list_plans() -> Response:
    """Query: day, state, group."""
    session = db.session()
    asked = {name: request.args.get(name) for name in ("day", "state", "group")}
    rows = queries.plans(session, scope(), **asked)
    names = queries.site_names(session, [row.scope_code for row in rows], locale())
    return jsonify({"plans": [queries.summary(row, locale(), names) for row in rows]})


@blueprint.post("/plans")
@access("dispatcher")
def order_plan() -> tuple[Response, int]:
    """Order a plan; a worker makes it. Follow it at /api/v1/plans/<id>; with ``each`` several, in a group."""
    try:
        sent = msgspec.json.decode(request.get_data(), type=PlanIn)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("plan_body_malformed", field="day") from None
    order = planning.order_each if sent.each else _order_one
    with transaction() as session:
        ordered = order(
            session,
            day=sent.day,
            scope_code=sent.scope,
            seconds=sent.seconds,
            scope=scope(),
            by=current_user.username,
            now=clock.now(),
            wall=wall_now(),
            name=sent.name,
        )
        for row, _ in ordered:
            audit(session, "plan_ordered", str(row.id), day=row.day, scope=row.scope_code)
        answers = [under_way(row, job) for row, job in ordered]
        group = ordered[0][0].group_id
    if group is None:
        tasks.send(answers[0]["job"])
        return jsonify(answers[0]), 201
    tasks.send_all([one["job"] for one in answers])
    return jsonify({"group": group, "plans": answers, "url": f"/dispatch/plans?group={group}"}), 201


def _order_one(session: Session, **asked: Any) -> list[tuple[Plan, Job]]:
    return [planning.order(session, **asked)]


def under_way(row: Plan, job: Job) -> dict[str, Any]:
    """The answer to whoever ordered a plan: where it will stand, and the job that makes it."""
    return {"id": row.id, "state": row.state, "job": job.id, "url": f"/dispatch/plans/{row.id}"}


@blueprint.get("/plans/<int:plan_id>")
@access(*READERS)
def one_plan(plan_id: int) -> Response:
    session = db.session()
    return jsonify(view(session, planning.visible(session, plan_id, scope())))


def view(session: Session, row: Plan) -> dict[str, Any]:
    """The plan with its sentences."""
    found = queries.plan(session, row, locale())
    sites = {code: site["name"] for code, site in found["sites"].items()}
    names = {route["courier"]: route["name"] for route in found["routes"]}
    asked = {b["courier_id"] for one in found["unserved"] for b in one["couriers"]}
    asked |= {one["params"]["courier_id"] for one in (*found["steps"], *found["unserved"])
              if one and one["params"].get("courier_id")}  # fmt: skip
    names |= queries.user_names(session, asked - names.keys(), locale())
    words = Words(sites, names)
    for one in found["unserved"]:
        one["site_name"] = sites.get(one["site"], one["site"])
        one["sentence"] = words.reason(one["code"], one["params"])
        for binding in one["couriers"]:
            params = {**binding["params"], "courier_id": binding["courier_id"]}
            binding["name"] = names.get(binding["courier_id"], binding["courier_id"])
            binding["sentence"] = words.reason(binding["code"], params)
        for remedy in one["remedies"]:
            remedy["sentence"] = words.remedy(remedy["code"], remedy["params"])
            remedy["one_click"] = planning_remedy.may_apply(
                remedy["code"], remedy["params"], day=row.day, now=clock.now()
            )
    found["undo"], found["redo"] = (words.step(one["action"], one["params"]) if one else None for one in found["steps"])
    for notice in found["notices"]:
        notice["sentence"] = words.notice(notice["code"], notice["params"])
    return found


@blueprint.get("/plans/<int:plan_id>/progress")
@access(*READERS)
def progress(plan_id: int) -> Response:
    """How far the search is: best cost so far, and its history [seconds, cost, unserved]."""
    session = db.session()
    row = planning.visible(session, plan_id, scope())
    return jsonify(
        {
            "id": row.id,
            "state": row.state,
            "revision": row.revision,
            "notice": row.notice,
            "job": queries.job_of(session, row),
            "improvements": queries.improvements(session, row),
        }
    )


@blueprint.post("/plans/<int:plan_id>/stop")
@access("dispatcher")
def stop_plan(plan_id: int) -> Response:
    """Stop the search and keep the best."""
    with transaction() as session:
        row = planning.visible(session, plan_id, scope(), lock=True)
        state = planning.stop(session, row, wall=wall_now())
        audit(session, "plan_stopped", str(plan_id))
        answer = {"id": row.id, "state": row.state, "job_state": state}
    return jsonify(answer)


@blueprint.post("/plans/<int:plan_id>/publish")
@access("dispatcher")
def publish_plan(plan_id: int) -> Response:
    """Give the plan to the couriers; it replaces the published plan of the same day and scope."""
    with transaction() as session:
        row = planning.visible(session, plan_id, scope(), lock=True)
        planning.publish(session, row, by=current_user.username, now=clock.now())
        audit(session, "plan_published", str(plan_id), day=row.day, scope=row.scope_code)
        answer = {"id": row.id, "state": row.state, "published_at": iso(row.published_at)}
    return jsonify(answer)


@blueprint.post("/pickups/<int:pickup_id>/offers")
@access("dispatcher")
def pickup_offers(pickup_id: int) -> Response:
    """Who could take an open pickup beside what he has promised, and what it costs. Changes nothing."""
    session = db.session()
    row = _plan_for(session, pickup_id)
    found = planning_insert.offers(session, row, pickup_id, travel=travel(), now=clock.now())
    names = queries.user_names(session, [offer.courier for offer in found], locale())
    sites = queries.site_names(session, [offer.later_site for offer in found if offer.later_site], locale())
    offers = [_offer(offer, names, sites) for offer in found]
    return jsonify({"plan": row.id, "pickup": pickup_id, "offers": offers})


@blueprint.post("/pickups/<int:pickup_id>/insert")
@access("dispatcher")
def insert_pickup(pickup_id: int) -> Response:
    """Take an offer: the plan gets a new published version with the pickup in the courier's route."""
    try:
        sent = msgspec.json.decode(request.get_data() or b"{}", type=InsertIn)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("plan_body_malformed", field="courier") from None
    now = clock.now()
    with transaction() as session:
        row = _plan_for(session, pickup_id)
        courier = sent.courier
        if courier is None:
            found = planning_insert.offers(session, row, pickup_id, travel=travel(), now=now)
            if not found:
                raise Conflict("no_offer", field="pickup")
            courier = found[0].courier
        fresh = planning_insert.accept(
            session, row, pickup_id, courier=courier, travel=travel(), by=current_user.username, now=now
        )
        audit(session, "pickup_inserted", str(pickup_id), plan=fresh.id, courier=courier)
        answer = {"plan": fresh.id, "replaces": row.id, "courier": courier, "state": fresh.state}
    return jsonify(answer)


def _plan_for(session: Session, pickup_id: int) -> Plan:
    """The published plan that covers the pickup's site: its county's, else one of a site above."""
    pickup = session.get(Pickup, pickup_id)
    if pickup is None or not scope().covers(pickup.site_code):
        raise NotFound("pickup_unknown", field="pickup", pickup=pickup_id)
    for code in legs.chain_up(pickup.site_code, network.parents(session))[1:]:
        row = planning.published(session, pickup.day, code)
        if row is not None and scope().covers(row.scope_code):
            return row
    raise Conflict("no_published_plan", field="pickup")


def _offer(offer: planning_insert.Offer, names: dict[str, str], sites: dict[str, str]) -> dict[str, Any]:
    return {
        "courier": offer.courier,
        "name": names.get(offer.courier, offer.courier),
        "pickup_at": iso(offer.pickup_at),
        "delivery_at": iso(offer.delivery_at),
        "extra_s": offer.extra_s,
        "extra_m": offer.extra_m,
        "later_s": offer.later_s,
        "later_site": sites.get(offer.later_site or "", offer.later_site),
    }


@blueprint.get("/board")
@access(*READERS)
def live_board() -> Response:
    """The live board. Answers 304 while nothing moved and the minute is the same."""
    session = db.session()
    now = clock.now()
    custody, alerts = board_queries.version(session)
    minute = int(now.timestamp() // 60)
    tag = f"{custody}-{alerts}-{minute}-{current_user.id}-{locale()}"
    response = Response(mimetype="application/json")
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    if tag in request.if_none_match:
        response.status_code = 304
        return response
    response.set_data(msgspec.json.encode(board_json(session)))
    return response


def board_json(session: Session) -> dict[str, Any]:
    """The board with its sentences, and the newest temperature of each box on the road."""
    now = clock.now()
    found = board_queries.board(session, scope(), locale(), now=now)
    sites = {site["code"]: site["name"] for site in found["sites"]}
    for line in found["couriers"]:
        sites.update({stop["site"]: stop["name"] for stop in line["stops"]})
    words = Words(sites, {line["username"]: line["name"] for line in found["couriers"]})
    temps = telemetry.latest(session, [b["box"] for line in found["couriers"] for b in line["boxes"]], now=now)
    for line in found["couriers"]:
        line["sentence"] = words.why(line["why"], line["params"])
        for box in line["boxes"]:
            reading = temps.get(box["box"])
            box["temp"] = (
                {
                    "temp_c": round(reading.temp_c, 1),
                    "at": iso(reading.at),
                    "fresh": reading.fresh,
                    "inside": reading.inside,
                }
                if reading
                else None
            )
    return found
