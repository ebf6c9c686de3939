"""The laboratory manager's pages: inbox, one alert, excursions and their assessment, indicators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.domain.custody import Event, consignment_stream, read_text
from logistics.models import AlertNote, Consignment, CustodyEvent, Reason, User
from logistics.queries import alerts as queries
from logistics.queries import indicators
from logistics.services import assessed
from web import alert_texts, charts, episodes
from web.access import access
from web.api.alerts import unless_known
from web.auth import scope
from web.episodes import Episode
from web.rendering import locale

blueprint = Blueprint("manager", __name__, url_prefix="/manager")
INBOX = ("manager", "administrator", "dispatcher", "auditor")
OVERSIGHT = ("manager", "auditor")
FIGURES = ("manager", "auditor", "administrator")
BEFORE, AFTER = timedelta(minutes=60), timedelta(minutes=40)


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
    now = clock.now()
    found = queries.inbox(session, scope(), now=now, tab=tab, kind=request.args.get("kind", ""))
    said = {}
    for entry in found:
        heading, lines = alert_texts.words(session, entry.alert, locale())
        said[entry.alert.id] = (heading, lines[0] if len(lines) > 1 else "")
    return {
        "tab": tab,
        "entries": found,
        "said": said,
        "counts": queries.counts(session, scope(), now=now),
        "now": now,
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
    inside = episodes.exposed(session, one, scope())
    loads = inside.loads
    judged = charts.judged(session, inside.tubes, now=now, stays=inside.stays)
    reasons = session.scalars(
        select(Reason).where(Reason.active, Reason.kind.in_(("reject", "deviation"))).order_by(Reason.position)
    ).all()
    signed = assessed.of_box(session, one.box_code, one.start, one.end)
    names = {name for row in signed for name in (row.username, row.looked_by) if name}
    people = {user.username: user for user in session.scalars(select(User).where(User.username.in_(names)))}
    return render_template(
        "manager/excursion.html",
        one=one,
        loads=loads,
        judged={row.specimen.id: row for row in judged},
        picture=_picture(session, one, list(loads), now),
        reasons=reasons,
        history=signed,
        elsewhere=episodes.of_tubes(session, one, [row.specimen.id for row in judged], scope()),
        people=people,
        may_sign=current_user.role == "manager",
        now=now,
    )


def _picture(session: Session, one: Episode, loads: list[Consignment], now: datetime) -> dict[str, Any]:
    """From packing to the end of the episode, with an hour before and some time after."""
    start = min([one.start - BEFORE, *(load.opened_at for load in loads)])
    end = min(now, (one.end or now) + AFTER)
    points, gaps = charts.box_points(session, one.box_code, start, end)
    events = sorted((e for load in loads for e in _events(session, load.number)), key=lambda e: e.occurred_at)
    lines = charts.event_lines(e for e in events if start <= e.occurred_at <= end)
    band = charts.band(session, one.box_code)
    source = charts.source("temperatures.box", start, end, code=one.box_code) if one.box_code else None
    return {"points": points, "gaps": gaps, "band": band, "events": lines, "source": source}


def _events(session: Session, number: str) -> list[Event]:
    query = select(CustodyEvent.body).where(CustodyEvent.stream == consignment_stream(number))
    return [read_text(body) for body in session.scalars(query.order_by(CustodyEvent.seq))]


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
