"""The transport register in words: facts of consignments become the lines that are shown and printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from flask import get_template_attribute
from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import seals
from logistics.domain.access import Scope
from logistics.domain.acts import HOWS
from logistics.labels import register
from logistics.labels.register import RegisterLine, Signed, Words
from logistics.labels.texts import temp_class_text
from logistics.models import Handover, Nonconformity, Reason, User
from logistics.queries import registers
from logistics.queries.registers import Happening, Trip
from telemetry import queries as telemetry
from web import alert_texts
from web.consignment_words import OUTCOMES
from web.rendering import locale, localtime
from web.views import office

MEANINGS: Mapping[str, Any] = {
    "pickup": _l("Handed over for transport"),
    "transfer": _l("Passed on to another courier"),
    "delivery": _l("Delivered to the laboratory"),
    "elsewhere": _l("Left at another site"),
}
METHODS: Mapping[str, Any] = {
    "pin": _l("confirmed with a PIN"),
    "app": _l("signed on the own device"),
    "seal": _l("by the seal"),
}
DISPOSITIONS: Mapping[str, Any] = {
    "hold": _l("put on hold"), "reject": _l("rejected"), "reject_tests": _l("some tests rejected"),
    "concession": _l("accepted with concession"), "received": _l("received"), "found": _l("found"),
    "release": _l("released"), "lost": _l("declared lost"), "recall": _l("recalled"), "dispose": _l("disposed of"),
    "noted": _l("noted"), "settled": _l("settled"), "withdrawn": _l("declared wrong"),
}  # fmt: skip


def bilingual() -> Words:
    """Every text of the register in Chinese and English, whoever asks."""
    with force_locale("zh_CN"):
        return register.words_of(gettext)


def lines(session: Session, trips: Iterable[Trip], *, seen: Scope, now: datetime) -> Iterator[RegisterLine]:
    """The register's lines, in pieces as the facts come: names, words and box temperatures come by the piece."""
    names = _Names(session)
    piece: list[Trip] = []
    for trip in trips:
        piece.append(trip)
        if len(piece) == registers.CHUNK:
            yield from _piece(session, piece, names, seen, now)
            piece = []
    yield from _piece(session, piece, names, seen, now)


def _piece(
    session: Session, trips: Sequence[Trip], names: _Names, seen: Scope, now: datetime
) -> Iterator[RegisterLine]:
    spans = {
        trip.consignment.number: (
            trip.consignment.box_code, trip.consignment.departed_at, trip.consignment.arrived_at or now
        )
        for trip in trips
        if trip.consignment.departed_at is not None
    }  # fmt: skip
    extremes = telemetry.extremes(session, spans)
    for trip in trips:
        yield _line(session, trip, extremes.get(trip.consignment.number), names, seen)


class _Names:
    """People and reasons by their codes, each asked for once."""

    def __init__(self, session: Session) -> None:
        self.reasons = {one.code: one.name(locale()) for one in session.scalars(select(Reason))}
        self.people = {one.username: one.name(locale()) for one in session.scalars(select(User))}

    def person(self, username: str | None, printed: str = "") -> str:
        return printed or self.people.get(username or "", username or "")

    def reason(self, code: str) -> str:
        return self.reasons.get(code, code)


def _line(
    session: Session, trip: Trip, extremes: tuple[float, float] | None, names: _Names, seen: Scope
) -> RegisterLine:
    one = trip.consignment
    assert one.departed_at is not None  # noqa: S101  # the register holds what has left
    first = next((each for each in trip.handovers if each.meaning == "pickup"), None)
    last = next((each for each in reversed(trip.handovers) if each.meaning == "delivery"), None)
    low, high = extremes or (None, None)
    return RegisterLine(
        number=one.number,
        origin=office.site_name(one.origin_code),
        departed_at=one.departed_at,
        destination=office.site_name(one.destination_code),
        arrived_at=one.arrived_at,
        box=one.box_code,
        temp_class=temp_class_text(one.temp_class, gettext),
        seal=seals.shown(one.seal_number, seen, one),
        specimens=tuple(_kinds(trip)),
        tube_count=sum(tubes for _, _, tubes in trip.specimens),
        item_count=one.item_count,
        damaged=trip.conditions.get("damaged", 0),
        leaked=trip.conditions.get("leaked", 0),
        missing=trip.outcomes.get("missing", 0),
        unexpected=trip.outcomes.get("unexpected", 0),
        left_behind=trip.outcomes.get("refused", 0),
        depart_temp_c=first.box_temp_c if first else None,
        arrive_temp_c=last.box_temp_c if last else None,
        min_c=low,
        max_c=high,
        given=_giver(first, names),
        courier=_taker(first, names),
        courier_at_end=_giver(last, names),
        received=_taker(last, names),
        events=tuple(_events(session, trip, names)),
        actions=tuple(_actions(trip, names)),
    )


def _kinds(trip: Trip) -> Iterator[tuple[str, int]]:
    for kind, container, tubes in trip.specimens:
        yield " ".join(part for part in (office.type_name(kind), office.container_name(container)) if part), tubes


def _giver(one: Handover | None, names: _Names) -> Signed:
    if one is None:
        return Signed()
    method = str(METHODS.get(one.method, one.method))
    if not one.giver_name and not one.giver:
        return Signed(method, one.occurred_at, str(MEANINGS.get(one.meaning, one.meaning)))
    meaning = f"{MEANINGS.get(one.meaning, one.meaning)}, {method}" if one.meaning == "pickup" else method
    return Signed(names.person(one.giver, one.giver_name), one.occurred_at, meaning)


def _taker(one: Handover | None, names: _Names) -> Signed:
    if one is None:
        return Signed()
    meaning = gettext("Taken for transport") if one.meaning == "pickup" else gettext("Received")
    return Signed(names.person(one.taker, one.taker_name), one.occurred_at, meaning)


def _events(session: Session, trip: Trip, names: _Names) -> Iterator[str]:
    """What happened on the way, in the order of time: transfers, broken seals, alerts; then what was found at the desk,
    and which tubes no scanner read there."""
    told: list[tuple[datetime, str]] = []
    for one in trip.handovers:
        if one.meaning not in {"pickup", "delivery"}:
            giver, taker = names.person(one.giver, one.giver_name), names.person(one.taker, one.taker_name)
            told.append((one.occurred_at, f"{MEANINGS.get(one.meaning, one.meaning)}: {giver} → {taker}"))
    told += [(one.at, _happened(one, names)) for one in trip.happenings]
    for alert in trip.alerts:
        told.append((alert.occurred_at, alert_texts.title(session, alert, locale())))
    for at, text in sorted(told, key=lambda one: one[0]):
        yield f"{localtime(at)} {text}"
    for how in HOWS:
        if how != "scanned" and trip.outcomes.get(how):
            yield str(OUTCOMES[how]) % {"n": trip.outcomes[how]}
    for reason, found in groupby(sorted(trip.findings, key=lambda one: one.reason_code), lambda one: one.reason_code):
        yield f"{names.reason(reason)} ×{len(list(found))}"


def _happened(one: Happening, names: _Names) -> str:
    word = str(get_template_attribute("macros/states.html", "event_word")(one.type.value)).strip()
    why = one.payload.get("reason")
    parts = [names.reason(why) if isinstance(why, str) else "", str(one.payload.get("note") or "")]
    said = ", ".join(part for part in parts if part)
    where = office.site_name(one.site) if one.site else ""
    return f"{word}{f' ({where})' if where else ''}{f': {said}' if said else ''}"


def _actions(trip: Trip, names: _Names) -> Iterator[str]:
    """What was done: dispositions with who decided, and what was written when an alert was taken."""
    decided = [one for one in trip.findings if one.disposition]

    def key(one: Nonconformity) -> tuple[str, str, str]:
        return (one.disposition, one.reason_code, one.disposed_by or one.found_by)

    for (disposition, reason, by), found in groupby(sorted(decided, key=key), key):
        word = str(DISPOSITIONS.get(disposition, disposition))
        yield f"{names.reason(reason)}: {word} ×{len(list(found))} ({names.person(by)})"
    for alert in trip.alerts:
        if alert.acknowledged_by:
            said = f": {alert.comment}" if alert.comment else ""
            yield f"{localtime(alert.acknowledged_at)} {names.person(alert.acknowledged_by)}{said}"
