"""Alarm profiles: what judges which box, its versions, a new version, and trying it on past data.

The administration changes every line; a manager those of the own sites, boxes and loggers, never the network's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics import clock
from logistics.db import db
from logistics.domain.access import ADMINISTRATOR
from logistics.errors import Forbidden, Invalid, NotFound
from logistics.models import Box, Site
from logistics.models.catalogue import TEMP_CLASSES
from telemetry import profiles, trial
from telemetry.models import DeviceBinding
from telemetry.profile import DAY, Profile, Rule, RuleKind, Side, code_of
from telemetry.profile_check import check
from telemetry.profiles import BOX, DEVICE, NETWORK, SITE, Line
from web import i18n
from web.access import access
from web.auth import audit, scope
from web.forms import NO_PROBLEM, Page, Problem, attempt, needed, text
from web.rendering import locale

blueprint = Blueprint("profiles", __name__, url_prefix="/profiles")
READERS = ("manager", "administrator", "auditor")
EDITORS = ("manager", "administrator")
ZONE = ZoneInfo(i18n.TIMEZONE)
BLANK_ROWS = 3
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
FIGURES = ("limit_c", "minutes", "hours", "hysteresis_c")


@blueprint.get("/")
@access(*READERS)
def listing() -> str:
    """Each temperature class with what holds now, and the lines that differ from it."""
    session = db.session()
    now = clock.now()
    stored = profiles.catalogue(session).lines
    lines = [line for line in stored if line.scope == NETWORK or _mine(session, line)]
    lines = sorted({*lines, *(Line(temp_class) for temp_class in TEMP_CLASSES)}, key=_order)
    return render_template(
        "profiles/list.html",
        rows=[_row(session, line, now) for line in lines],
        may_add=current_user.role in EDITORS,
        classes=TEMP_CLASSES,
        problem=NO_PROBLEM,
    )


def _order(line: Line) -> tuple[int, int, str]:
    return TEMP_CLASSES.index(line.temp_class), profiles.SCOPES.index(line.scope), line.code


@dataclass(frozen=True, slots=True)
class LineRow:
    line: Line
    what: str
    profile: Profile | None  # None: given up
    newest: Any
    coming: int


def _row(session: Session, line: Line, now: datetime) -> LineRow:
    history = profiles.history(session, line)
    begun = [row for row in history if row.valid_from <= now]
    newest = begun[0] if begun else None
    profile = profiles.profile_of(newest) if newest else profiles.in_force(session, line, at=now)
    return LineRow(line, _what(session, line), profile, newest, len(history) - len(begun))


def _what(session: Session, line: Line) -> str:
    if line.scope == SITE:
        site = session.get(Site, line.code)
        return site.name(locale()) if site else line.code
    return line.code


def _mine(session: Session, line: Line) -> bool:
    """Whether the line is about something of the caller's sites."""
    if line.scope == NETWORK:
        return bool(current_user.role == ADMINISTRATOR)
    home: str | None = line.code
    if line.scope == BOX:
        home = session.scalar(select(Box.home_code).where(Box.code == line.code))
    if line.scope == DEVICE:
        bound = select(Box.home_code).join(DeviceBinding, DeviceBinding.box_code == Box.code)
        home = session.scalar(
            bound.where(DeviceBinding.device_code == line.code).order_by(DeviceBinding.bound_from.desc()).limit(1)
        )
    return scope().covers(home)


def _asked() -> Line:
    """The line of the address: class, and what of it in the query. Raises as ``profiles.known``."""
    args = request.args
    line = Line(str((request.view_args or {})["temp_class"]), args.get("scope", "")[:10], args.get("code", "")[:64])
    if line.scope == NETWORK:
        line = Line(line.temp_class)
    profiles.known(db.session(), line)
    if line.scope != NETWORK and not _mine(db.session(), line):
        raise NotFound("profile_scope_unknown", field="code", what=line.code)
    return line


@blueprint.get("/<temp_class>")
@access(*READERS)
def edit(temp_class: str) -> Page:
    """A line: what holds now, in a form, and its versions. Query: scope, code."""
    try:
        return _page(_asked(), NO_PROBLEM)
    except (Invalid, NotFound) as error:
        problem = Problem(error)
        return _refused(problem), problem.status


def _refused(problem: Problem) -> str:
    lines = [Line(temp_class) for temp_class in TEMP_CLASSES]
    rows = [_row(db.session(), line, clock.now()) for line in lines]
    may = current_user.role in EDITORS
    return render_template("profiles/list.html", rows=rows, may_add=may, classes=TEMP_CLASSES, problem=problem)


@blueprint.post("/<temp_class>")
@access(*EDITORS)
def save(temp_class: str) -> Page:
    """Store a version."""
    line = _asked()

    def work(session: Session) -> Response:
        if not _mine(session, line):
            raise Forbidden("profile_not_yours")
        now = clock.now()
        draft = read_form(line)
        row = profiles.save(
            session, line, draft, valid_from=_begin(now), reason=text("reason", limit=500),
            username=current_user.username, now=now,
        )  # fmt: skip
        audit(session, "profile_changed", _subject(line), version=row.id, valid_from=row.valid_from.isoformat())
        flash(gettext("The version is stored."), "ok")
        return redirect(_address(line))

    return attempt(work, lambda problem: _page(line, problem))


@blueprint.post("/<temp_class>/give-up")
@access(*EDITORS)
def give_up(temp_class: str) -> Page:
    """An own profile ends: from now on the wider one counts."""
    line = _asked()

    def work(session: Session) -> Response:
        if not _mine(session, line):
            raise Forbidden("profile_not_yours")
        now = clock.now()
        row = profiles.save(
            session, line, None, valid_from=now, reason=text("reason", limit=500), username=current_user.username,
            now=now,
        )  # fmt: skip
        audit(session, "profile_given_up", _subject(line), version=row.id)
        flash(gettext("The own profile was given up; the wider one counts again."), "ok")
        return redirect(url_for("profiles.listing"))

    return attempt(work, lambda problem: _page(line, problem))


@blueprint.post("/<temp_class>/try")
@access(*EDITORS)
def try_out(temp_class: str) -> Page:
    """What the form's profile would have raised in the last days, beside the present one. Stores nothing."""
    line = _asked()

    def work(session: Session) -> str:
        draft = read_form(line)
        check(draft)
        days = needed("days", whole=True)
        if not 1 <= days <= trial.LONGEST.days:
            raise Invalid("profile_days_bad", field="days", most=trial.LONGEST.days)
        now = clock.now()
        found = trial.run(session, line, draft, scope(), since=now - timedelta(days=days), until=now, now=now)
        return _page(line, NO_PROBLEM, found)

    return attempt(work, lambda problem: _page(line, problem))


def _begin(now: datetime) -> datetime:
    """When the version begins: local time, empty for at once."""
    typed = text("valid_from", limit=40)
    if not typed:
        return now
    try:
        begin = datetime.fromisoformat(typed)
    except ValueError:
        raise Invalid("profile_time_unreadable", field="valid_from") from None
    return begin if begin.tzinfo else begin.replace(tzinfo=ZONE)


def _subject(line: Line) -> str:
    return ":".join(part for part in ("profile", line.temp_class, line.scope, line.code) if part)


def _address(line: Line) -> str:
    if line.scope == NETWORK:
        return url_for("profiles.edit", temp_class=line.temp_class)
    return url_for("profiles.edit", temp_class=line.temp_class, scope=line.scope, code=line.code)


@dataclass(slots=True)
class FormRow:
    """One rule of the form as text."""

    key: str = ""
    kind: str = RuleKind.CONSECUTIVE.value
    side: str = Side.UPPER.value
    inclusive: bool = False
    figures: dict[str, str] = field(default_factory=dict)

    def at(self, name: str) -> str:
        return self.figures.get(name, "")


def rows_of(profile: Profile) -> list[FormRow]:
    found = []
    for rule in profile.rules:
        timed = rule.kind is not RuleKind.IMMEDIATE
        figures = {
            "limit_c": f"{rule.limit_c:g}",
            "minutes": f"{rule.duration / _MINUTE:g}" if timed else "",
            "hours": f"{rule.window / _HOUR:g}" if rule.kind is RuleKind.CUMULATIVE else "",
            "hysteresis_c": f"{rule.hysteresis_c:g}",
        }
        found.append(FormRow(rule.key or rule.code, rule.kind.value, rule.side.value, rule.inclusive, figures))
    return found


def typed_rows() -> list[FormRow]:
    """The rules as sent; a row without a limit and without minutes is none."""
    found = []
    for place in range(60):
        if f"limit_c-{place}" not in request.form:
            break
        figures = {name: request.form.get(f"{name}-{place}", "").strip()[:20] for name in FIGURES}
        if not figures["limit_c"] and not figures["minutes"]:
            continue
        found.append(
            FormRow(
                request.form.get(f"key-{place}", "")[:60], request.form.get(f"kind-{place}", "")[:20],
                request.form.get(f"side-{place}", "")[:10], request.form.get(f"inclusive-{place}") == "1", figures,
            )
        )  # fmt: skip
    return found


def read_form(line: Line) -> Profile:
    """The profile of the form. Raises Invalid naming the field, rows counted without the empty ones."""
    now_held = profiles.in_force(db.session(), line, at=clock.now())
    return Profile(
        code=line.temp_class,
        low_c=needed("low_c"),
        high_c=needed("high_c"),
        rules=tuple(_rule(row, place) for place, row in enumerate(typed_rows())),
        interval=now_held.interval,
        silence_after=now_held.silence_after,
        clear_delay=needed("clear_delay") * _MINUTE,
        silence_intervals=needed("silence_intervals"),
        silence_least=needed("silence_least") * _MINUTE,
        silence_grace=needed("silence_grace") * _MINUTE,
    ).for_interval(now_held.interval)


def _rule(row: FormRow, place: int) -> Rule:
    try:
        kind, side = RuleKind(row.kind), Side(row.side)
    except ValueError:
        raise Invalid("profile_rule_kind", field=f"kind-{place}") from None
    timed = kind is not RuleKind.IMMEDIATE
    rule = Rule(
        code="",
        kind=kind,
        side=side,
        limit_c=_figure(row, "limit_c", place),
        duration=(_figure(row, "minutes", place) if timed else 0.0) * _MINUTE,
        window=_figure(row, "hours", place) * _HOUR if kind is RuleKind.CUMULATIVE else DAY,
        hysteresis_c=_figure(row, "hysteresis_c", place, 0.5),
        inclusive=row.inclusive and kind is not RuleKind.RATE,
    )
    code = code_of(rule)
    return Rule(
        code, kind, side, rule.limit_c, rule.duration, rule.window, rule.hysteresis_c, rule.inclusive,
        row.key or code,
    )  # fmt: skip


def _figure(row: FormRow, name: str, place: int, default: float | None = None) -> float:
    typed = row.at(name)
    if not typed and default is not None:
        return default
    if not typed:
        raise Invalid("field_missing", field=f"{name}-{place}")
    try:
        value = float(typed.replace("−", "-").replace(",", "."))
    except ValueError:
        raise Invalid("number_unreadable", field=f"{name}-{place}", value=typed) from None
    if not abs(value) < 1e6:
        raise Invalid("number_unreadable", field=f"{name}-{place}", value=typed)
    return value


def _page(line: Line, problem: Problem, found: trial.Trial | None = None) -> str:
    session = db.session()
    now = clock.now()
    held = profiles.in_force(session, line, at=now)
    sent = request.method == "POST" and "low_c" in request.form
    rows: Sequence[FormRow] = typed_rows() if sent else rows_of(held)
    heads = {
        "low_c": f"{held.low_c:g}",
        "high_c": f"{held.high_c:g}",
        "clear_delay": f"{held.clear_delay / _MINUTE:g}",
        "silence_intervals": f"{held.silence_intervals:g}",
        "silence_least": f"{held.silence_least / _MINUTE:g}",
        "silence_grace": f"{held.silence_grace / _MINUTE:g}",
        "reason": "", "valid_from": "", "days": "7",
    }  # fmt: skip
    history = profiles.history(session, line)
    return render_template(
        "profiles/edit.html",
        line=line,
        what=_what(session, line),
        held=held,
        value=lambda name: request.form.get(name, heads[name]) if sent else heads[name],
        rows=[*rows, *(FormRow(key="") for _ in range(BLANK_ROWS))],
        history=[(row, profiles.profile_of(row)) for row in history],
        in_force=next((row.id for row in history if row.valid_from <= now), None),
        problem=problem,
        found=found,
        may=current_user.role in EDITORS and _mine(session, line),
        query={} if line.scope == NETWORK else {"scope": line.scope, "code": line.code},
        most_days=trial.LONGEST.days,
        now=now,
    )
