"""The journey of a specimen in words: the sentence at the top, and the small print of every event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from logistics.domain.custody import Event
from logistics.domain.custody import EventType as E
from logistics.domain.transitions import UNDER_WAY, State
from logistics.models import Handover, Reason
from logistics.queries import journey as queries
from logistics.queries.journey import Gap, Journey
from logistics.services.assessment import TubeAssessment
from telemetry.queries import Latest
from web.alert_texts import DIFFERS
from web.rendering import local, locale, localtime

S = State

VERDICTS: Mapping[str, Any] = {
    "fit": _l("within limits"),
    "use_by": _l("use-by near"),
    "unknown": _l("part of its time is unknown, to be decided"),
    "outside": _l("was outside its band, to be decided"),
    "expired": _l("expired"),
    "no_rule": _l("no stability rule known"),
}
TONES = {"fit": "ok", "use_by": "warn", "unknown": "hold", "outside": "danger", "expired": "danger"}
VERDICT_ICONS = {"fit": "check-circle", "use_by": "hourglass", "unknown": "question", "outside": "thermometer",
                 "expired": "hourglass"}  # fmt: skip
GAPS: Mapping[str, Any] = {
    "missing": _l("Nobody answers for the tube by the record: it was declared missing."),
    "lost": _l("Nobody answers for the tube by the record: it was declared lost."),
    "unexplained": _l("The record does not say how it got there: nobody handed it over."),
}


FACES = {
    S.REJECTED: ("danger", "cross-circle"),
    S.MISSING: ("danger", "missing"),
    S.LOST: ("danger", "missing"),
    S.COLLECTION_FAILED: ("danger", "missing"),
    S.ACCEPTED: ("ok", "check-circle"),
    S.ACCEPTED_CONCESSION: ("warn", "warning"),
    S.RECALLED: ("hold", "undo"),
    S.RETURNED: ("hold", "undo"),
}
"""Colour and icon of a state that does not depend on the tube's temperature."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Where the tube is, in one sentence, with its colour and icon."""

    text: str
    tone: str
    icon: str


def sentence(
    session: Session, found: Journey, judged: TubeAssessment, latest: Latest | None, *, now: datetime
) -> Sentence:
    """'With courier Li in BX-…, 5.2 °C, due at the laboratory 15:20, within limits.'"""
    one = found.specimen
    parts = [_where(found, now)]
    refused = _refused(found)
    if refused:
        parts.append(gettext("refused at the handover: %(reason)s", reason=_reason_name(session, refused)))
    running = one.state in UNDER_WAY | {S.COLLECTED, S.PACKED, S.SEALED, S.DELIVERED, S.RECEIVED}
    if found.reason is not None and one.state in {S.REJECTED, S.ACCEPTED_CONCESSION, S.RECALLED, S.RETURNED}:
        parts.append(gettext("because: %(reason)s", reason=found.reason.name(locale())))
    if one.box_code and latest is not None and one.state != S.RECEIVED:
        parts.append(f"{latest.temp_c:.1f} °C" if latest.fresh else gettext("temperature not known"))
    elif one.box_code and running:
        parts.append(gettext("no temperature data"))
    load = found.consignment
    if load is not None and one.state == S.IN_TRANSIT and load.expected_at is not None:
        due = short_time(load.expected_at, now)
        if load.expected_at < now:
            parts.append(gettext("was due at %(time)s", time=due))
        else:
            parts.append(gettext("due at the laboratory %(time)s", time=due))
    if running:
        if judged.use_by is not None and judged.status in {"use_by", "fit"}:
            parts.append(gettext("use by %(time)s", time=short_time(judged.use_by, now)))
        parts.append(str(VERDICTS.get(judged.status, judged.status)))
    if one.on_hold:
        parts.append(gettext("on hold until a manager decides"))
    comma, stop = (", ", ".") if locale() == "en" else ("，", "。")
    text = comma.join(parts) + stop
    tone, icon = _face(found, judged, running)
    return Sentence(text, tone, icon)


def _face(found: Journey, judged: TubeAssessment, running: bool) -> tuple[str, str]:
    if found.specimen.on_hold:
        return "hold", "hold"
    state = S(found.specimen.state)
    if state in FACES:
        return FACES[state]
    if running:
        return TONES.get(judged.status, "brand"), VERDICT_ICONS.get(judged.status, "info")
    return "neutral", "info"


def _where(found: Journey, now: datetime) -> str:
    one = found.specimen
    holder = found.people.get(one.holder or "")
    facts = {
        "site": place(found, one.location_code or one.collecting_site_code),
        "home": place(found, one.collecting_site_code),
        "person": holder.name(locale()) if holder else (one.holder or "–"),
        "box": one.box_code or "–",
        "time": short_time(one.state_since, now),
    }
    words = {
        S.REGISTERED: _l("Registered at %(home)s, not collected yet"),
        S.COLLECTION_FAILED: _l("Could not be collected at %(home)s"),
        S.COLLECTED: _l("At %(site)s, collected %(time)s, waiting to be packed"),
        S.PACKED: _l("At %(site)s in %(box)s, not sealed yet"),
        S.SEALED: _l("At %(site)s in %(box)s, sealed, waiting to be fetched"),
        S.IN_TRANSIT: _l("With courier %(person)s in %(box)s"),
        S.WAITING: _l("At %(site)s in %(box)s, sealed, waiting to be taken on"),
        S.ARRIVED: _l("At %(site)s in %(box)s, not handed over yet"),
        S.DELIVERED: _l("Handed to %(site)s at %(time)s in %(box)s, waiting to be checked"),
        S.RECEIVED: _l("Received at %(site)s at %(time)s, waiting for a decision"),
        S.ACCEPTED: _l("Accepted at %(site)s at %(time)s"),
        S.ACCEPTED_CONCESSION: _l("Accepted with concession at %(site)s at %(time)s"),
        S.REJECTED: _l("Rejected at %(site)s at %(time)s"),
        S.MISSING: _l("Declared missing at %(time)s"),
        S.LOST: _l("Declared lost at %(time)s"),
        S.RECALLED: _l("Recalled at %(time)s, with %(person)s in %(box)s")
        if one.holder
        else _l("Recalled at %(time)s, last at %(site)s, not in hand yet"),
        S.RETURNED: _l("Recalled, in hand at %(site)s since %(time)s"),
        S.DISPOSED: _l("Disposed of at %(time)s"),
    }
    found_words = words.get(S(one.state))
    return str(found_words) % facts if found_words is not None else one.state


def place(found: Journey, code: str | None) -> str:
    site = found.sites.get(code or "")
    return site.name(locale()) if site else (code or "–")


def short_time(at: datetime | None, now: datetime) -> str:
    """The time of day, with the date when it is not today's."""
    if at is None:
        return "–"
    here, today = local(at), local(now)
    same = here is not None and today is not None and here.date() == today.date()
    return localtime(at, "%H:%M" if same else "%m-%d %H:%M")


def details(session: Session, found: Journey, event: Event) -> list[str]:
    """What the payload of an event says, in words."""
    facts = event.payload
    lines: list[str] = []
    if event.type in {E.HANDED_OVER, E.HANDED_IN}:
        giver = _signer(found, facts, "giver") or gettext("by the seal")
        lines.append(f"{giver} → {_signer(found, facts, 'taker')} ({_method(str(facts.get('method', '')))})")
        lines += handover_words(session.get(Handover, (str(facts.get("handover")), str(facts.get("consignment")))))
    if event.type is E.UNPACKED and facts.get("refused"):
        lines.append(gettext("Refused at the handover"))
    if facts.get("box"):
        lines.append(gettext("Box %(box)s", box=facts["box"]))
    if facts.get("consignment"):
        lines.append(gettext("Consignment %(number)s", number=facts["consignment"]))
    if facts.get("seal"):
        lines.append(gettext("Seal %(seal)s", seal=facts["seal"]))
    if facts.get("condition"):
        lines.append(gettext("Condition: %(condition)s", condition=_condition(str(facts["condition"]))))
    if facts.get("reason"):
        reason = session.get(Reason, str(facts["reason"]))
        lines.append(gettext("Reason: %(reason)s", reason=reason.name(locale()) if reason else facts["reason"]))
    if event.type is E.CORRECTED:
        lines.append(gettext("Concerns entry %(n)s", n=facts["corrects"]))
        if facts.get("restores"):
            lines.append(gettext("The tube is again what it was before that entry."))
    lines += _receipt_details(event)
    if facts.get("bring_to"):
        lines.append(gettext("To be brought to %(site)s", site=place(found, str(facts["bring_to"]))))
    if facts.get("note"):
        lines.append(f"“{facts['note']}”")
    return lines


def _receipt_details(event: Event) -> list[str]:
    """Which tests were rejected alone; from which box a tube was missed; that it turned up after the receipt."""
    facts = event.payload
    lines: list[str] = []
    if event.type is E.TESTS_REJECTED:
        lines.append(gettext("Only these tests: %(tests)s", tests=", ".join(facts.get("tests", ()))))
    if event.type in {E.RECEIVED_UNEXPECTED, E.FOUND_AT_ORIGIN} and facts.get("from"):
        lines.append(gettext("Expected in consignment %(number)s", number=facts["from"]))
    if event.type is E.FOUND and facts.get("late"):
        lines.append(gettext("After the receipt had been closed"))
    return lines


def handover_words(one: Handover | None) -> list[str]:
    """'8 of 9 handed over, 1 refused', and who signed when, where it was not at one screen."""
    if one is None:
        return []
    lines = []
    if one.refused_count:
        total = one.tube_count + one.refused_count
        lines.append(gettext("%(n)s of %(m)s handed over, refused: %(refused)s", n=one.tube_count, m=total,
                             refused=one.refused_count))  # fmt: skip
    if one.method != "app":
        return lines
    lines.append(gettext("Taker signed %(time)s", time=localtime(one.taker_signed_at, "%m-%d %H:%M")))
    if one.state == "signed":
        lines.append(gettext("Giver signed %(time)s", time=localtime(one.giver_signed_at, "%m-%d %H:%M")))
    elif one.state == "differs":
        lines.append(gettext("The giver has signed something else: %(what)s", what=differs_words(one.differs)))
    else:
        lines.append(gettext("Signature of the giver outstanding"))
    return lines


def differs_words(fields: str) -> str:
    """In what two halves of a handover differ, in words."""
    comma: str = gettext(", ")
    return comma.join(str(DIFFERS[one]) for one in fields.split(",") if one in DIFFERS)


def _refused(found: Journey) -> str:
    """The reason for which a courier left the tube behind last, while it still lies there."""
    last = found.events[-1] if found.events else None
    left = last is not None and last.type is E.UNPACKED and last.payload.get("refused")
    return str(last.payload.get("reason", "")) if last is not None and left else ""


def _reason_name(session: Session, code: str) -> str:
    reason = session.get(Reason, code)
    return reason.name(locale()) if reason else code


def _signer(found: Journey, facts: Mapping[str, Any], side: str) -> str:
    """The name in the reader's language; as it was signed when the account has gone."""
    user = found.people.get(str(facts.get(side, "")))
    return user.name(locale()) if user else str(facts.get(f"{side}_name") or "")


def _condition(value: str) -> str:
    words = {"good": _l("good"), "damaged": _l("damaged"), "leaked": _l("leaked")}
    return str(words.get(value, value))


def _method(value: str) -> str:
    words = {"pin": _l("signed by PIN"), "app": _l("signed on both phones"), "seal": _l("signed by the seal")}
    return str(words.get(value, value))


def lag(event: Event) -> str:
    """'12 min later' when the server learned of it noticeably later; a device ahead of us is named, too."""
    skew = queries.skew(event)
    if skew is None:
        return ""
    minutes = round(abs(skew) / timedelta(minutes=1))
    if skew < timedelta(0):
        return str(gettext("the device was %(n)s min ahead", n=minutes))
    return str(gettext("%(n)s min later", n=minutes))


def source_parts(source: str) -> tuple[str | None, str, str]:
    """(address or None, what to show, the rest) of a rule's source: the name of the site stands for a long address."""
    first, _, rest = source.partition(" ")
    if not first.startswith(("https://", "http://")):
        return None, source, ""
    host = urlsplit(first).hostname or first
    return first, host.removeprefix("www."), rest


def gap_words(gap: Gap) -> str:
    return str(GAPS[gap.kind])
