"""The laboratory manager's pages: inbox, one alert, excursions and their assessment, indicators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from flask import Blueprint, Response, jsonify, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, transaction
from logistics.domain.acts import Answer
from logistics.domain.custody import Event, consignment_stream, read_text
from logistics.errors import Invalid, NotFound
from logistics.models import AlertNote, Consignment, CustodyEvent, Reason, Specimen, User
from logistics.queries import alerts as queries
from logistics.queries import indicators
from logistics.services import assessment
from logistics.services.assessment import Signing
from telemetry import assess
from web import alert_texts, charts, episodes
from web.access import access
from web.api.alerts import unless_known
from web.auth import scope
from web.episodes import Episode
from web.messages import sentence
from web.rendering import locale

blueprint = Blueprint("manager", __name__, url_prefix="/manager")
INBOX = ("manager", "administrator", "dispatcher", "auditor")
OVERSIGHT = ("manager", "auditor")
FIGURES = ("manager", "auditor", "administrator")
BEFORE, AFTER = timedelta(minutes=60), timedelta(minutes=40)
MAX_BODY_TUBES = 500


@blueprint.get("/alerts")
@access(*INBOX)
def inbox() -> str:
    """One row an incident. Query: state, kind."""
    return render_template("manager/inbox.html", **_inbox(db.session()))


@blueprint.get("/alerts/rows")
@access(*INBOX)
def inbox_rows() -> Response:
    """The changing part of the inbox; 304 while nothing happened. Asked every two seconds."""
    session = db.session()
    minute = clock.now().strftime("%H:%M")  # ages are shown in minutes
    tag = f"{queries.version(session)}|{minute}|{current_user.id}|{locale()}|{request.query_string.decode()}"
    return unless_known(tag, lambda: Response(render_template("manager/inbox_rows.html", **_inbox(session))))


def _inbox(session: Session) -> dict[str, Any]:
    tab = request.args.get("state", "open")
    tab = tab if tab in queries.TABS else "open"
    found = queries.inbox(session, scope(), tab=tab, kind=request.args.get("kind", ""))
    said = {}
    for entry in found:
        heading, lines = alert_texts.words(session, entry.alert, locale())
        said[entry.alert.id] = (heading, lines[0] if len(lines) > 1 else "")
    return {
        "tab": tab,
        "entries": found,
        "said": said,
        "counts": queries.counts(session, scope()),
        "now": clock.now(),
        "may_acknowledge": lambda alert: queries.may_acknowledge(current_user.role, alert),
    }


@blueprint.get("/alerts/<int:alert_id>")
@access(*INBOX)
def alert(alert_id: int) -> str:
    """One incident: what happened, its history, what was sent where, its tubes."""
    session = db.session()
    found = queries.detail(session, scope(), alert_id)
    one = found.entry.alert
    heading, lines = alert_texts.words(session, one, locale())
    names = {code: site.name(locale()) for code, site in found.sites.items()}
    history = [
        {
            "note": note,
            "words": alert_texts.note_words(
                note.kind, {**note.params, "site": names.get(str(note.params.get("site")), "–")}
            ),
            "person": found.people[note.username].name(locale()) if note.username in found.people else note.username,
        }
        for note in _told(one.notes)
    ]
    return render_template(
        "manager/alert.html",
        found=found,
        one=one,
        heading=heading,
        lines=lines,
        history=history,
        episode=_episode_of(session, found.entry),
        may_acknowledge=queries.may_acknowledge(current_user.role, one),
        now=clock.now(),
    )


def _told(notes: list[AlertNote]) -> list[AlertNote]:
    """Newest first; of several updates in a row only the newest."""
    kept: list[AlertNote] = []
    for note in reversed(notes):
        if not (kept and kept[-1].kind == note.kind == "updated"):
            kept.append(note)
    return kept


def _episode_of(session: Session, entry: queries.Entry) -> Episode | None:
    """The excursion that the alert tells of, for those who may open it."""
    if entry.alert.kind != "excursion" or current_user.role not in OVERSIGHT:
        return None
    since = entry.alert.occurred_at - timedelta(hours=12)
    found = episodes.listing(session, scope(), now=clock.now(), since=since)
    return next((one for one in found if any(a.id == entry.alert.id for a in one.alerts)), None)


@blueprint.get("/excursions")
@access(*OVERSIGHT)
def excursions() -> str:
    found = episodes.listing(db.session(), scope(), now=clock.now())
    return render_template("manager/excursions.html", episodes=found, now=clock.now())


@blueprint.get("/excursions/<int:excursion_id>")
@access(*OVERSIGHT)
def excursion(excursion_id: int) -> str:
    """The chart, the tubes with the rule quoted, the proposal, and the signature."""
    session = db.session()
    now = clock.now()
    one = episodes.one(session, scope(), excursion_id, now=now)
    loads = episodes.exposed(session, one, scope())
    judged = charts.judged(session, [tube for tubes in loads.values() for tube in tubes], now=now)
    reasons = session.scalars(
        select(Reason).where(Reason.active, Reason.kind.in_(("reject", "deviation"))).order_by(Reason.position)
    ).all()
    names = [change.detail.get("by", "") for change in assess.changes(session, (row.id for row in one.rows))]
    people = {user.username: user for user in session.scalars(select(User).where(User.username.in_(names)))}
    return render_template(
        "manager/excursion.html",
        one=one,
        loads=loads,
        judged={row.specimen.id: row for row in judged},
        picture=_picture(session, one, list(loads), now),
        reasons=reasons,
        history=_signatures(session, one),
        people=people,
        may_sign=current_user.role == "manager",
        now=now,
    )


def _signatures(session: Session, one: Episode) -> list[Any]:
    """The assessments that were signed, newest first, each once (an episode holds several excursions)."""
    found = {}
    for change in assess.changes(session, (row.id for row in one.rows)):
        if change.what == assess.ASSESSED:
            found[change.at, change.detail.get("by")] = change
    return list(reversed(found.values()))


def _picture(session: Session, one: Episode, loads: list[Consignment], now: datetime) -> dict[str, Any]:
    """From packing to the end of the episode, with an hour before and some time after."""
    start = min([one.start - BEFORE, *(load.opened_at for load in loads)])
    end = min(now, (one.end or now) + AFTER)
    points, gaps = charts.box_points(session, one.box_code, start, end)
    events = sorted((e for load in loads for e in _events(session, load.number)), key=lambda e: e.occurred_at)
    lines = charts.event_lines(e for e in events if start <= e.occurred_at <= end)
    band, source = charts.band(session, one.box_code), charts.source(one.box_code, start, end)
    return {"points": points, "gaps": gaps, "band": band, "events": lines, "source": source}


def _events(session: Session, number: str) -> list[Event]:
    query = select(CustodyEvent.body).where(CustodyEvent.stream == consignment_stream(number))
    return [read_text(body) for body in session.scalars(query.order_by(CustodyEvent.seq))]


class TubeIn(msgspec.Struct, forbid_unknown_fields=True):
    """One decision as sent; ``id`` is the act's UUID."""

    id: str
    specimen_id: int
    disposition: str
    reason: str = ""


class AssessmentIn(msgspec.Struct, forbid_unknown_fields=True):
    comment: str
    tubes: list[TubeIn]


@blueprint.post("/excursions/<int:excursion_id>/assess")
@access("manager")
def sign(excursion_id: int) -> tuple[Response, int] | Response:
    """Sign dispositions of tubes that were in the box; each is answered. Body: AssessmentIn."""
    now = clock.now()
    with transaction() as session:
        one = episodes.one(session, scope(), excursion_id, now=now)
        body, signings = _read_assessment()
        inside = {tube.id: tube for tubes in episodes.exposed(session, one, scope()).values() for tube in tubes}
        for signing in signings:
            if signing.specimen_id not in inside:
                raise NotFound("specimen_unknown", field="specimen", specimen=signing.specimen_id)
        user = session.get_one(User, current_user.id)
        answers = assessment.sign(session, signings, comment=body.comment, actor=user, scope=scope(), now=now)
        good = [(signing, answer) for signing, answer in answers if answer.status.value in {"done", "duplicate"}]
        if any(answer.status.value == "done" for _, answer in good):
            signed = [_signed(signing, inside[signing.specimen_id]) for signing, _ in good]
            comment = body.comment.strip()[:1000]
            assess.assessed(session, one.rows, by=user.username, comment=comment, dispositions=signed, now=now)
            keys = [alert.incident_key for alert in one.alerts]
            assessment.close_alerts(session, keys, username=user.username, comment=comment, scope=scope(), now=now)
        return jsonify({"answers": [_answer(signing, answer) for signing, answer in answers]})


def _read_assessment() -> tuple[AssessmentIn, list[Signing]]:
    try:
        body = msgspec.json.decode(request.get_data(), type=AssessmentIn)
        return body, [Signing(_uuid(t.id), t.specimen_id, t.disposition, t.reason) for t in body.tubes]
    except (msgspec.MsgspecError, ValueError) as error:
        raise Invalid("act_malformed", field="tubes", detail=str(error)) from None


def _uuid(text: str) -> str:
    return str(UUID(text))


def _signed(signing: Signing, tube: Specimen) -> dict[str, Any]:
    return {
        "specimen": tube.id,
        "accession": tube.accession,
        "disposition": signing.disposition,
        "reason": signing.reason,
    }


def _answer(signing: Signing, answer: Answer) -> dict[str, Any]:
    return {
        "specimen_id": signing.specimen_id,
        "status": answer.status.value,
        "code": answer.code,
        "sentence": sentence(answer.code, dict(answer.params)),
        "state": answer.result.get("state"),
    }


@blueprint.get("/dashboard")
@access(*FIGURES)
def dashboard() -> str:
    """The figures of the network. Query: site (a county or township), days."""
    session = db.session()
    days = request.args.get("days", "7")
    found = indicators.figures(
        session,
        scope(),
        now=clock.now(),
        days=int(days) if days in indicators.SPANS else 7,
        site=request.args.get("site") or None,
    )
    return render_template(
        "manager/dashboard.html", found=found, spans=indicators.SPANS, now=clock.now(), trail_links=_trail
    )


def _trail(found: indicators.Board) -> list[tuple[str, str | None]]:
    """Links to the sites above the one that is shown."""
    links: list[tuple[str, str | None]] = []
    for site in found.trail:
        last = found.site is not None and site.code == found.site.code
        address = None if last else url_for("manager.dashboard", site=site.code, days=found.span)
        links.append((site.name(locale()), address))
    return links


def plain(value: Any) -> float:
    """A figure as a number for the trend: durations in minutes."""
    return value / timedelta(minutes=1) if isinstance(value, timedelta) else float(value)


blueprint.record(lambda state: state.app.jinja_env.filters.update(plain=plain))
