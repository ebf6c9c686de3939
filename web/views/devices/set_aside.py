"""What was set aside: messages that could not be read, readings with an impossible time; released or discarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.errors import Invalid
from telemetry import fleet, letters, quarantine
from web import device_words
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, attempt, text
from web.views.devices.base import MOVERS, READERS, blueprint, may_move


def _given(states: Sequence[str]) -> tuple[str, str, str]:
    """(state, reason, device) that were asked for; without a state, or with an unknown one, the first."""
    given = request.values
    state = given.get("state", "")
    return (
        state if state in states else states[0], given.get("reason", "")[:40], given.get("device", "").strip()[:60]
    )  # fmt: skip


def _shown(states: Sequence[str]) -> tuple[str, str, str]:
    """The same of the list that is on the screen: a form that was refused stands in it again."""
    if request.method != "POST":
        return _given(states)
    state, form = request.form.get("state", ""), request.form
    return state if state in states else states[0], form.get("list_reason", "")[:40], form.get("list_device", "")[:60]


def _letters_asked(session: Session) -> letters.Asked:
    return letters.Asked(*_given(letters.STATES), fleet.visible(session, scope()))


@blueprint.get("/letters")
@access(*READERS)
def dead_letters() -> str:
    """Query: state (kept, replayed, discarded), reason, device, page."""
    return _letters_page(NO_PROBLEM)


def _letters_page(problem: Problem) -> str:
    session = db.session()
    asked = letters.Asked(*_shown(letters.STATES), fleet.visible(session, scope()))
    found = letters.listing(session, asked, request.args.get("page", 1, type=int))
    kept = {name: getattr(asked, name) or None for name in ("state", "reason", "device")}
    return render_template(
        "devices/letters.html",
        found=found,
        asked=asked,
        counts=letters.counts(session, asked),
        words=device_words.SET_ASIDE,
        states=device_words.LETTER_STATES,
        as_text=letters.as_text,
        may_decide=may_move(),
        problem=problem,
        typed=request.form,
        chosen=request.form.getlist("letter"),
        url_for_reason=lambda reason: url_for("devices.dead_letters", **{**kept, "reason": reason or None}),
        url_for_page=lambda number: url_for("devices.dead_letters", **kept, page=number),
    )


@blueprint.get("/letters/<int:letter_id>")
@access(*READERS)
def dead_letter(letter_id: int) -> str:
    """One message: its bytes as text and hexadecimal, why it could not be used, and what to do."""
    return _letter_page(letter_id, NO_PROBLEM)


def _letter_page(letter_id: int, problem: Problem) -> str:
    session = db.session()
    found = letters.one(session, letter_id, fleet.visible(session, scope()))
    return render_template(
        "devices/letter.html",
        letter=found,
        as_text=letters.as_text(found.raw),
        as_hex=letters.as_hex(found.raw),
        words=device_words.SET_ASIDE,
        remedies=device_words.REMEDIES,
        states=device_words.LETTER_STATES,
        may_decide=may_move(),
        may_register=current_user.role == "administrator",
        problem=problem,
        typed=request.form,
    )


@blueprint.post("/letters/release")
@access(*MOVERS)
def release_letters() -> Page:
    """Decode again: one (form: letter) or all that were asked for (state, reason, device)."""

    def work(session: Session) -> Response:
        now, who = clock.now(), current_user.username
        one = request.form.get("letter", "")
        asked = _letters_asked(session)
        if one.isdecimal():
            refused = letters.release(session, int(one), username=who, now=now, devices=asked.devices)
            released, left = int(not refused), len(refused)
        else:
            released, left = letters.release_all(session, asked, username=who, now=now)
        audit(session, "letters_released", one or asked.device, released=released, left=left, reason=asked.reason)
        said = gettext("%(released)s released, %(left)s still cannot be read.", released=released, left=left)
        flash(said, "warn" if left else "ok")
        return redirect(_back("devices.dead_letters"))

    return attempt(work, _letters_page)


@blueprint.post("/letters/discard")
@access(*MOVERS)
def discard_letters() -> Page:
    """Form: letter (several), note; state where it was sent from the list."""
    ids = [int(one) for one in request.form.getlist("letter") if one.isdecimal() and len(one) < 10]

    def work(session: Session) -> Response:
        count = letters.discard(
            session,
            ids,
            reason=text("note"),
            username=current_user.username,
            now=clock.now(),
            devices=fleet.visible(session, scope()),
        )
        audit(session, "letters_discarded", ",".join(map(str, ids))[:80], count=count, reason=text("note"))
        flash(gettext("%(count)s discarded; their bytes stay in the record.", count=count), "ok")
        return redirect(_back("devices.dead_letters"))

    def again(problem: Problem) -> str:
        from_list = "state" in request.form or len(ids) != 1
        return _letters_page(problem) if from_list else _letter_page(ids[0], problem)

    return attempt(work, again)


def _quarantine_asked(session: Session) -> quarantine.Asked:
    return quarantine.Asked(*_given(quarantine.STATES), fleet.visible(session, scope()))


@blueprint.get("/quarantine")
@access(*READERS)
def held_readings() -> str:
    """Query: state (held, released, discarded), reason, device, page."""
    return _quarantine_page(NO_PROBLEM)


def _quarantine_page(problem: Problem, *, asked_for: str = "") -> str:
    """``asked_for``: which form was refused, ``release`` or ``discard``; it stands there again as it was typed."""
    session = db.session()
    asked = quarantine.Asked(*_shown(quarantine.STATES), fleet.visible(session, scope()))
    found = quarantine.listing(session, asked, request.args.get("page", 1, type=int))
    kept = {name: getattr(asked, name) or None for name in ("state", "reason", "device")}
    return render_template(
        "devices/quarantine.html",
        found=found,
        asked=asked,
        groups=quarantine.groups(session, asked) if asked.state == quarantine.HELD else [],
        words=device_words.SET_ASIDE,
        remedies=device_words.REMEDIES,
        states=device_words.QUARANTINE_STATES,
        may_decide=may_move(),
        problem=problem,
        asked_for=asked_for,
        typed=request.form,
        url_for_page=lambda number: url_for("devices.held_readings", **kept, page=number),
    )


@blueprint.post("/quarantine/release")
@access(*MOVERS)
def release_readings() -> Page:
    """Form: device, reason, reading (several; none: all of them), days, hours, minutes, seconds, sign, spacing_s."""

    def work(session: Session) -> Response:
        asked = _quarantine_asked(session)
        offset = _offset()
        spacing = timedelta(seconds=_number("spacing_s"))
        count = quarantine.release(
            session,
            asked,
            offset=offset,
            spacing=spacing,
            username=current_user.username,
            now=clock.now(),
            ids=_ids() or None,
        )
        detail: dict[str, Any] = {"count": count, "offset_s": offset.total_seconds(), "reason": asked.reason}
        audit(session, "readings_released", asked.device, **detail)
        flash(gettext("%(count)s readings released and judged.", count=count), "ok")
        return redirect(_back("devices.held_readings"))

    return attempt(work, partial(_quarantine_page, asked_for="release"))


@blueprint.post("/quarantine/discard")
@access(*MOVERS)
def discard_readings() -> Page:
    """Form: device, reason, reading (several; none: all of them), note."""

    def work(session: Session) -> Response:
        asked = _quarantine_asked(session)
        count = quarantine.discard(
            session,
            asked,
            reason=text("note"),
            username=current_user.username,
            now=clock.now(),
            ids=_ids() or None,
        )
        audit(session, "readings_discarded", asked.device, count=count, reason=text("note"))
        flash(gettext("%(count)s readings discarded; they stay in the record.", count=count), "ok")
        return redirect(_back("devices.held_readings"))

    return attempt(work, partial(_quarantine_page, asked_for="discard"))


def _ids() -> list[int]:
    return [int(one) for one in request.form.getlist("reading") if one.isdecimal()]


def _offset() -> timedelta:
    parts = {name: _number(name) for name in ("days", "hours", "minutes", "seconds")}
    offset = timedelta(**parts)
    return -offset if request.form.get("sign") == "-" else offset


def _number(name: str) -> int:
    value = request.form.get(name, "").strip() or "0"
    if not value.isdecimal() or len(value) > 9:
        raise Invalid("number_unreadable", field=name, value=value[:20])
    return int(value)


def _back(endpoint: str) -> str:
    """The list that was looked at, with its conditions."""
    state = request.form.get("state", "")
    device, reason = request.form.get("list_device", ""), request.form.get("list_reason", "")
    return url_for(endpoint, state=state or None, device=device or None, reason=reason or None)
