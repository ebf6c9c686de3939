"""The journey of a specimen: a sentence, the timeline, the chart, the map, the tests; printed it is the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from logistics import clock
from logistics.db import db, transaction
from logistics.domain import seals
from logistics.domain.custody import Event
from logistics.domain.set_codes import of_stream
from logistics.models import Consignment, Specimen
from logistics.queries import journey as queries
from logistics.queries.journey import Journey
from logistics.services.assessment import TubeAssessment
from telemetry import queries as telemetry
from web import charts, corrections, journey_words
from web.access import access
from web.api.records import iso, specimen_json
from web.auth import audit, scope
from web.journey_words import Sentence
from web.rendering import locale

blueprint = Blueprint("journey", __name__)
blueprint.record(
    lambda state: state.app.jinja_env.filters.update(
        gap_words=journey_words.gap_words, source_parts=journey_words.source_parts
    )
)
READERS = ("collector", "courier", "receiver", "manager", "dispatcher", "auditor")
PATIENT_READERS = ("collector", "receiver", "manager")


@blueprint.get("/journey/<int:specimen_id>")
@access(*READERS)
def specimen(specimen_id: int) -> str:
    """One tube, whole."""
    session = db.session()
    now = clock.now()
    one, found, judged, said = _told(session, specimen_id, now)
    return render_template(
        "journey/specimen.html",
        one=one,
        found=found,
        judged=judged,
        rows=timeline(session, found),
        sentence=said,
        picture=picture(session, found, now=now),
        may_see_patient=current_user.role in PATIENT_READERS and bool(one.patient_ref),
        now=now,
    )


@blueprint.get("/journey")
@access(*READERS)
def by_code() -> str | WerkzeugResponse:
    """Query: code. Leads to the tube; asks which one when the number stands for several."""
    code = request.args.get("code", "").strip()[:64]
    session = db.session()
    found = queries.find(session, scope(), current_user.username, code) if code else []
    if len(found) == 1:
        return redirect(url_for("journey.specimen", specimen_id=found[0].id))
    return render_template("journey/choose.html", code=code, found=found)


@blueprint.post("/journey/<int:specimen_id>/patient")
@access(*PATIENT_READERS)
def patient(specimen_id: int) -> Response:
    """The patient reference of a tube; every reading is logged."""
    with transaction() as session:
        one = queries.visible(session, scope(), current_user.username, specimen_id)
        audit(session, "patient_ref_read", f"specimen:{one.id}", accession=one.accession)
        return jsonify({"patient_ref": one.patient_ref})


@blueprint.get("/api/v1/specimens/<int:specimen_id>/journey")
@access(*READERS)
def journey_json(specimen_id: int) -> Response:
    """The same as JSON: sentence, events, gaps, tests, the state of the chain. No patient reference."""
    session = db.session()
    one, found, judged, said = _told(session, specimen_id, clock.now())
    codes = of_stream(found.events)
    return jsonify(
        {
            "specimen": specimen_json(one),
            "sentence": said.text,
            "whole": found.whole,
            "breaks": [{"seq": broken.seq, "kind": broken.kind} for broken in found.breaks],
            "events": [_event_json(row, codes) for row in timeline(session, found) if row["event"]],
            "gaps": [{"kind": gap.kind, "since": iso(gap.since), "until": iso(gap.until)} for gap in found.gaps],
            "tests": [_use_json(judged, index) for index in range(len(judged.uses))],
            "used_share": judged.used_share,
            "verdict": judged.status,
            "use_by": iso(judged.use_by),
        }
    )


def _told(session: Session, specimen_id: int, now: datetime) -> tuple[Specimen, Journey, TubeAssessment, Sentence]:
    """A tube that the reader may see: its journey, how long it keeps, and where it is in one sentence."""
    one = queries.visible(session, scope(), current_user.username, specimen_id)
    found = queries.journey(session, one, role=current_user.role, now=now)
    judged = charts.judged(session, [one], now=now)[0]
    latest = telemetry.latest(session, [one.box_code], now=now).get(one.box_code) if one.box_code else None
    return one, found, judged, journey_words.sentence(session, found, judged, latest, now=now)


def timeline(session: Session, found: Journey) -> list[dict[str, Any]]:
    """Events and gaps in the order of time, each with its small print."""
    wrong = corrections.corrections(found.events)
    rows: list[dict[str, Any]] = [
        {
            "at": event.occurred_at,
            "wrong": corrections.words(wrong[event.seq]) if event.seq in wrong else "",
            "may_correct": corrections.may_correct(event, wrong, scope()),
            "event": event,
            "gap": None,
            "place": journey_words.place(found, event.site),
            "person": _person(found, event.actor, event.actor_name),
            "details": journey_words.details(session, found, event),
            "lag": journey_words.lag(event),
        }
        for event in (_readable(session, one) for one in found.events)
    ]
    rows += [{"at": gap.since, "event": None, "gap": gap} for gap in found.gaps]
    return sorted(rows, key=lambda row: (row["at"], row["event"] is None))


def _readable(session: Session, event: Event) -> Event:
    """The event with the number of a seal as the reader may read it."""
    load = session.get(Consignment, str(event.payload.get("consignment"))) if event.payload.get("seal") else None
    return event if load is None else replace(event, payload=seals.told(event.payload, scope(), load))


def _person(found: Journey, username: str, written: str) -> str:
    user = found.people.get(username)
    return user.name(locale()) if user else (written or username)


def picture(session: Session, found: Journey, *, now: datetime) -> dict[str, Any]:
    """What chart and map draw: readings of the boxes while the tube was in them, events, sites, the drive."""
    points: list[Any] = []
    gaps: list[Any] = []
    for stay in found.stays:
        since, until = stay.since - charts.PADDING, min(stay.until or now, now)
        some, holes = charts.box_points(session, stay.box_code, since, until)
        points += some
        gaps += holes
    return {
        "points": points,
        "gaps": gaps,
        "band": charts.band(session, found.stays[-1].box_code) if found.stays else None,
        "source": _source(found, now),
        "events": charts.event_lines(found.events),
        **charts.on_the_map(found.sites, found.events, found.positions),
    }


def _source(found: Journey, now: datetime) -> str | None:
    """Where the chart's script asks for all probes of all boxes that the tube was in."""
    if not found.stays:
        return None
    start = found.stays[0].since - charts.PADDING
    end = min(found.stays[-1].until or now, now)
    return charts.source("temperatures.specimen", start, end, specimen_id=found.specimen.id)


def _event_json(row: dict[str, Any], codes: Mapping[int, str | None]) -> dict[str, Any]:
    event = row["event"]
    return {
        "seq": event.seq,
        "type": event.type.value,
        "set": codes.get(event.seq),  # its code in IHE Specimen Event Tracking, for other trackers
        "occurred_at": iso(event.occurred_at),
        "recorded_at": iso(event.recorded_at),
        "actor": event.actor,
        "actor_name": row["person"],
        "how": event.how,
        "device": event.device,
        "site": event.site,
        "payload": dict(event.payload),
        "declared_wrong": bool(row["wrong"]),
    }


def _use_json(judged: TubeAssessment, index: int) -> dict[str, Any]:
    use = judged.uses[index]
    return {
        "test": use.test.code,
        "verdict": use.verdict.status.value if use.verdict else "no_rule",
        "used_share": use.verdict.used_share if use.verdict else None,
        "use_by": iso(use.verdict.use_by) if use.verdict else None,
        "rules": [
            {
                "low_c": rule.low_c,
                "high_c": rule.high_c,
                "max_hours": rule.longest / timedelta(hours=1),
                "source": rule.source,
            }
            for rule in use.rules
        ],
    }
