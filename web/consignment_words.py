"""A consignment in words: the sentence at the top of its record, the small print of its entries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _l

from logistics.domain.custody import Event
from logistics.domain.custody import EventType as E
from logistics.domain.transitions import ConsignmentState as C
from logistics.models import Consignment, Handover
from logistics.queries.consignment_record import Record
from logistics.services.items import RETURN
from telemetry.queries import Latest
from web.journey_words import Sentence, short_time
from web.rendering import locale

UNDER_WAY = frozenset({C.IN_TRANSIT, C.WAITING})
WHERE: Mapping[str, Any] = {
    C.OPEN: _l("Being packed at %(site)s in %(box)s"),
    C.SEALED: _l("At %(site)s in %(box)s, waiting to be fetched"),
    C.IN_TRANSIT: _l("With courier %(person)s in %(box)s"),
    C.WAITING: _l("Standing at %(site)s in %(box)s on its way to %(destination)s"),
    C.ARRIVED: _l("At %(site)s in %(box)s, not handed over yet"),
    C.DELIVERED: _l("Handed to %(site)s at %(time)s in %(box)s, being received"),
    C.CLOSED: _l("Received at %(destination)s at %(time)s"),
    C.CANCELLED: _l("Cancelled at %(time)s"),
}
OUTCOMES: Mapping[str, Any] = {
    "scanned": _l("%(n)s scanned"),
    "ticked": _l("%(n)s ticked by hand"),
    "typed": _l("%(n)s typed in"),
    "imported": _l("%(n)s recorded from paper"),
    "missing": _l("%(n)s missing"),
    "found": _l("%(n)s found"),
    "late": _l("%(n)s turned up late"),
    "elsewhere": _l("%(n)s turned up elsewhere"),
    "unexpected": _l("%(n)s unexpected"),
    "recalled": _l("%(n)s recalled"),
    "refused": _l("%(n)s refused at the handover"),
    "expected": _l("%(n)s not checked"),
    "unpacked": _l("%(n)s taken out"),
}
METHODS: Mapping[str, Any] = {
    "pin": _l("signed by PIN"), "app": _l("signed on both phones"), "seal": _l("signed by the seal"),
    "witness": _l("confirmed by a second person"), "paper": _l("recorded from paper"),
}  # fmt: skip
MEANINGS: Mapping[str, Any] = {
    "pickup": _l("Pickup"), "delivery": _l("Delivery"), "transfer": _l("Transfer"), "elsewhere": _l("Left elsewhere"),
    "send_out": _l("Sent out"),
}  # fmt: skip


def sentence(found: Record, latest: Latest | None, *, now: datetime) -> Sentence:
    """'With courier Li in BX-…, sealed SL…, 9 tubes, 5.2 °C, due 15:20.'"""
    one = found.consignment
    parts = [_where(found, now)]
    if one.seal_number and one.state not in {C.CLOSED, C.CANCELLED}:
        parts.append(gettext("sealed %(seal)s", seal=found.seal(one.seal_number)))
    if one.state != C.CLOSED:
        parts.append(counted(one, one.tube_count or one.item_count))
    if one.state in {C.DELIVERED, C.CLOSED}:
        parts += [str(OUTCOMES[name]) % {"n": count} for name, count in found.outcomes().items() if name in OUTCOMES]
    if latest is not None and one.state not in {C.CLOSED, C.CANCELLED}:
        parts.append(f"{latest.temp_c:.1f} °C" if latest.fresh else gettext("temperature not known"))
    if one.state in UNDER_WAY:
        parts += _timer(found, now)
    if found.recalled:
        count = len(found.recalled)
        parts.append(ngettext("%(num)d tube recalled", "%(num)d tubes recalled", count))
    comma, stop = (", ", ".") if locale() == "en" else ("，", "。")
    return Sentence(comma.join(parts) + stop, *_face(found, now))


def counted(one: Consignment, count: int) -> str:
    """'9 tubes'; of what goes back '2 load items' or 'empty box'."""
    if one.kind != RETURN:
        return str(ngettext("%(num)d tube", "%(num)d tubes", count))
    return str(ngettext("%(num)d load item", "%(num)d load items", count) if count else gettext("empty box"))


def _where(found: Record, now: datetime) -> str:
    one = found.consignment
    return str(WHERE.get(one.state, one.state)) % {
        "site": place(found, one.location_code or one.origin_code),
        "destination": place(found, one.destination_code),
        "person": person(found, one.holder),
        "box": one.box_code,
        "time": short_time(one.state_since, now),
    }


def _timer(found: Record, now: datetime) -> list[str]:
    expected, until = found.consignment.expected_at, found.hold_until
    said = []
    if expected is not None:
        late = now - expected
        if late > timedelta(0):
            minutes = int(late / timedelta(minutes=1))
            said.append(gettext("was due at %(time)s, %(n)s min late", time=short_time(expected, now), n=minutes))
        else:
            said.append(gettext("due %(time)s", time=short_time(expected, now)))
    if until is not None and until < now:
        said.append(gettext("the box no longer holds its temperature by its validation"))
    return said


def _face(found: Record, now: datetime) -> tuple[str, str]:  # noqa: PLR0911  # one line a case
    one = found.consignment
    if found.recalled:
        return "hold", "undo"
    if any(alert.kind == "excursion" and alert.state != "closed" for alert in found.alerts):
        return "danger", "thermometer"
    if one.state in UNDER_WAY and one.expected_at is not None and one.expected_at < now:
        return "danger", "clock"
    if found.outcomes().get("missing"):
        return "danger", "missing"
    if one.state == C.CLOSED:
        return "ok", "check-circle"
    if one.state == C.CANCELLED:
        return "neutral", "cross"
    return "brand", {C.IN_TRANSIT: "truck", C.OPEN: "box-open", C.SEALED: "seal"}.get(C(one.state), "building")


def countdown(at: datetime | None, now: datetime) -> str:
    """'in 25 min', 'in 3 h', 'in 3 h 10 min', '12 min ago'."""
    if at is None:
        return ""
    hours, rest = divmod(round(abs(at - now) / timedelta(minutes=1)), 60)
    if at >= now:
        whole, broken, short = _l("in %(h)s h"), _l("in %(h)s h %(m)s min"), _l("in %(n)s min")
    else:
        whole, broken, short = _l("%(h)s h ago"), _l("%(h)s h %(m)s min ago"), _l("%(n)s min ago")
    return str((broken if rest else whole) if hours else short) % {"h": hours, "m": rest, "n": rest}


def place(found: Record, code: str | None) -> str:
    site = found.sites.get(code or "")
    return site.name(locale()) if site else (code or "–")


def person(found: Record, username: str | None, written: str = "") -> str:
    """The name in the reader's language; as it was signed when the account has gone."""
    user = found.people.get(username or "")
    return user.name(locale()) if user else (written or username or "–")


def reason(found: Record, code: str) -> str:
    known = found.reasons.get(code)
    return known.name(locale()) if known else code


def method(signed: Handover) -> str:
    return str(METHODS.get(signed.method, signed.method))


def meaning(signed: Handover) -> str:
    return str(MEANINGS.get(signed.meaning, signed.meaning))


def details(found: Record, event: Event) -> list[str]:
    """What the payload of an entry says, in words."""
    facts = event.payload
    lines: list[str] = []
    if event.type in {E.HANDED_OVER, E.HANDED_IN}:
        giver = person(found, str(facts.get("giver") or ""), str(facts.get("giver_name") or ""))
        taker = person(found, str(facts.get("taker") or ""), str(facts.get("taker_name") or ""))
        lines.append(f"{giver if facts.get('giver') else gettext('by the seal')} → {taker}")
    if facts.get("version"):
        lines.append(gettext("Manifest version %(n)s", n=facts["version"]))
    if facts.get("seal"):
        lines.append(gettext("Seal %(seal)s", seal=found.seal(str(facts["seal"]))))
    if facts.get("count") is not None:
        lines.append(counted(found.consignment, int(facts["count"])))
    if facts.get("box_temp_c"):
        lines.append(gettext("Box temperature %(temp)s °C", temp=facts["box_temp_c"]))
    if facts.get("reason"):
        lines.append(gettext("Reason: %(reason)s", reason=reason(found, str(facts["reason"]))))
    if facts.get("bring_to"):
        lines.append(gettext("To be brought to %(site)s", site=place(found, str(facts["bring_to"]))))
    if facts.get("accession"):
        lines.append(gettext("Tube %(number)s", number=facts["accession"]))
    if facts.get("note"):
        lines.append(f"“{facts['note']}”")
    return lines
