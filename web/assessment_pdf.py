"""An assessment put into words for its page of paper."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from logistics import clock
from logistics.labels.assessment_pdf import Curve, Group, Sheet, assessment_pdf
from logistics.models import AssessedTube, Assessment, Box, Reason, Test, User
from web import alert_texts, charts
from web.assessment_words import change_words, disposition_words, verdict_words
from web.rendering import localdatetime, locale

AROUND = timedelta(minutes=45)


def build(
    session: Session,
    one: Assessment,
    *,
    people: Mapping[str, User],
    reasons: Mapping[str, Reason],
    tests: Mapping[str, Test],
    rules: list[str],
    printed_by: str,
) -> bytes:
    """The page as PDF, in the reader's language."""
    signer = people[one.username].name(locale()) if one.username in people else one.username
    box = session.get(Box, one.box_code)
    end = localdatetime(one.end_at) if one.end_at else gettext("lasted still when it was signed")
    facts = (
        (gettext("Box"), one.box_code),
        (gettext("Rules broken"), gettext("; ").join(alert_texts.rule_words(rule) for rule in rules) or "–"),
        (gettext("Began"), localdatetime(one.start_at)),
        (gettext("Ended"), end),
        (gettext("Extreme"), f"{one.extreme_c:.1f} °C"),
        (gettext("Outside"), gettext("%(n)s min", n=round(one.minutes))),
        (gettext("Tubes"), str(len(one.tubes))),
        (gettext("Stability limits"), gettext("version %(n)s", n=one.version)),
    )
    sheet = Sheet(
        title=gettext("Assessment %(id)s of an excursion in box %(box)s", id=one.id, box=one.box_code),
        facts=facts,
        curve=_curve(session, one) if box is not None else None,
        heads=(
            gettext("Tubes"), gettext("Deciding test and rule"), gettext("Life used"), gettext("Verdict"),
            gettext("Disposition"),
        ),
        groups=_groups(one, reasons, tests),
        comment=(gettext("Assessment"), one.comment),
        changed=change_words(one),
        signature=(
            gettext("Signed by %(name)s on %(at)s.", name=signer, at=localdatetime(one.at)),
            gettext("By hand: ______________________________   Date: ______________"),
        ),
        foot=gettext(
            "Tube numbers only, no patient data. Printed %(at)s by %(name)s.",
            at=localdatetime(clock.now()), name=printed_by,
        ),
    )  # fmt: skip
    return assessment_pdf(sheet)


def _groups(one: Assessment, reasons: Mapping[str, Reason], tests: Mapping[str, Test]) -> tuple[Group, ...]:
    alike: dict[tuple[Any, ...], list[AssessedTube]] = {}
    for tube in one.tubes:
        alike.setdefault((tube.disposition, tube.reason, tube.status, tube.test_code, str(tube.rules)), []).append(tube)
    found = []
    for tubes in sorted(alike.values(), key=lambda group: -len(group)):
        first = tubes[0]
        decision = disposition_words()[first.disposition]
        if first.reason:
            reason = reasons.get(first.reason)
            decision += f": {reason.name(locale()) if reason else first.reason}"
        numbers = tuple(tube.accession for tube in tubes)
        found.append(
            Group(numbers, _rule(first, tests), _used(tubes), verdict_words().get(first.status, first.status), decision)
        )
    return tuple(found)


def _rule(tube: AssessedTube, tests: Mapping[str, Test]) -> str:
    if not tube.test_code:
        return str(gettext("The catalogue holds no rule for it"))
    name = tests[tube.test_code].name(locale()) if tube.test_code in tests else tube.test_code
    limits = [
        gettext("%(low)s to %(high)s °C: %(hours)s h", low=f"{r['low_c']:g}", high=f"{r['high_c']:g}",
                hours=f"{r['hours']:g}")
        for r in tube.rules
    ]  # fmt: skip
    sources = list(dict.fromkeys(rule["source"] for rule in tube.rules if rule.get("source")))
    return str(gettext("; ")).join([name, *limits, *sources])


def _used(tubes: list[AssessedTube]) -> str:
    shares = [tube.used_share for tube in tubes if tube.used_share is not None]
    if not shares:
        return "–"
    low, high = round(min(shares) * 100), round(max(shares) * 100)
    return f"{low} %" if low == high else f"{low}–{high} %"


def _curve(session: Session, one: Assessment) -> Curve | None:
    start, end = one.start_at - AROUND, (one.end_at or one.at) + AROUND
    points, gaps = charts.box_points(session, one.box_code, start, min(end, clock.now()))
    if not points:
        return None
    known = [(_seconds(point["at"], start), float(point["temp"])) for point in points]
    broken = [(_seconds(gap["from"], start) + 1, None) for gap in gaps]
    band = charts.band(session, one.box_code)
    return Curve(
        points=tuple(sorted([*known, *broken], key=lambda point: point[0])),
        band=(band["low"], band["high"]) if band else None,
        span=((one.start_at - start).total_seconds(), ((one.end_at or one.at) - start).total_seconds()),
        start=localdatetime(datetime.fromisoformat(points[0]["at"])),
        end=localdatetime(datetime.fromisoformat(points[-1]["at"])),
        caption=gettext("Temperature in the box, °C; the band and the excursion are shaded"),
    )


def _seconds(at: str, start: datetime) -> float:
    return (datetime.fromisoformat(at) - start).total_seconds()
