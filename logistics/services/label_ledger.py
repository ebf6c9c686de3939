"""The ledger of numbers that were printed ahead: every label on a roll is printed, then used or voided.

    batch = label_ledger.make_batch(session, kind=Kind.ACCESSION, count=200, site="TOWN", ...)
    number = label_ledger.take(session, "LR26030900001K", site="TOWN", by="nurse", now=clock.now())   # registration
    label_ledger.void(session, scope, ["LR26030900002H"], reason="misprinted", by="nurse", now=clock.now())

A number of ours that nobody printed, that was voided, or that stands for a tube already is refused by code: then the
label in somebody's hand is not what it seems. Numbers of a laboratory system are none of the ledger's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from logistics.db import Base, insert_ignoring
from logistics.domain import numbers
from logistics.domain.access import Scope
from logistics.domain.numbers import Kind
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Box, LabelBatch, LabelNumber, Site, Specimen

PRINTED, USED, VOIDED = "printed", "used", "voided"
STATES = (PRINTED, USED, VOIDED)
AHEAD = (Kind.ACCESSION, Kind.SEAL, Kind.BOX)
"""What may be printed ahead. A consignment gets its number when its first tube is packed."""
VOID_REASONS = ("misprinted", "damaged", "lost", "test_print", "other")
MAX_BATCH = 1000
MAX_NOTE = 400
ZONE = ZoneInfo("Asia/Shanghai")  # the day in a number is the local one


def make_batch(
    session: Session,
    *,
    kind: Kind,
    count: int,
    stock: str,
    symbology: str,
    site: str,
    by: str,
    now: datetime,
    note: str = "",
) -> LabelBatch:
    """New numbers for a site, none of which anybody else ever gets.

    Raises Invalid (``label_kind_not_ahead``, ``label_batch_size``, ``site_unknown``, ``number_serial_out_of_range``).
    """
    if kind not in AHEAD:
        raise Invalid("label_kind_not_ahead", field="kind", kind=str(kind))
    if not 1 <= count <= MAX_BATCH:
        raise Invalid("label_batch_size", field="count", most=MAX_BATCH)
    if session.get(Site, site) is None:
        raise Invalid("site_unknown", field="site", site=site[:40])
    texts = _issue(session, kind, count, now)
    batch = LabelBatch(
        kind=kind.value, first_number=texts[0], last_number=texts[-1], count=count, stock=stock, symbology=symbology,
        site_code=site, made_at=now, made_by=by, note=note[:MAX_NOTE],
    )  # fmt: skip
    session.add(batch)
    session.flush()
    rows = [
        {
            "number": text, "batch_id": batch.id, "position": place, "state": PRINTED, "state_at": now, "state_by": by,
            "reason": "", "note": "", "copies": 0,
        }
        for place, text in enumerate(texts, start=1)
    ]  # fmt: skip
    session.execute(insert(LabelNumber), rows)
    return batch


def _issue(session: Session, kind: Kind, count: int, now: datetime) -> list[str]:
    day = now.astimezone(ZONE).date()
    if kind is Kind.ACCESSION:  # the same counter as for tubes that get their number when they are registered
        return [numbers.issue(kind, serial, day) for serial in _serials(session, f"accession:{day}", count)]
    if kind is Kind.SEAL:
        return [numbers.issue(kind, serial) for serial in _serials(session, "seal", count)]
    taken = set(session.scalars(select(Box.code)))
    found: list[str] = []
    while len(found) < count:  # boxes were numbered by hand before
        texts = [numbers.issue(kind, serial) for serial in _serials(session, "box", count - len(found))]
        found += [text for text in texts if text not in taken]
    return found


def _serials(session: Session, counter: str, count: int) -> range:
    """The next ``count`` values of a named counter, whose row is held until the transaction ends."""
    table = Base.metadata.tables["counter"]
    insert_ignoring(session, table, {"name": counter, "value": 0})
    statement = (
        update(table).where(table.c.name == counter).values(value=table.c.value + count).returning(table.c.value)
    )
    last = int(session.execute(statement).scalar_one())
    return range(last - count + 1, last + 1)


def refuse_mistyped(text: str, *, field: str) -> None:
    """Raises Invalid('number_check_failed') naming the number, when it has the form of ours and a wrong last letter."""
    if numbers.recognise(text) is not None:
        plain = numbers.normalise(text)
        if not numbers.checks(plain):
            raise Invalid("number_check_failed", field=field, value=plain)


def take(session: Session, text: str, *, site: str, by: str, now: datetime, field: str = "specimen") -> str:
    """A tube is registered under a number that is on its label already; returns it as it stands there.

    A number of ours must come from the ledger and be free. Raises Invalid ``number_check_failed``, NotFound
    ``label_number_unknown``, Conflict ``label_number_voided``, ``label_number_used``, ``label_number_elsewhere``.
    """
    if numbers.recognise(text) is not Kind.ACCESSION:
        return text
    refuse_mistyped(text, field=field)
    plain = numbers.normalise(text)
    row = _held(session, plain)
    if row is None:
        used = session.scalars(select(Specimen.id).where(Specimen.accession_key == plain).limit(1)).first()
        if used is not None:
            raise Conflict("label_number_used", field=field, number=plain)
        raise NotFound("label_number_unknown", field=field, number=plain)
    _refuse_unfit(row, field=field)
    if row.batch.site_code != site:
        raise Conflict("label_number_elsewhere", field=field, number=plain, site=row.batch.site_code)
    _use(row, by, now)
    return plain


def take_if_known(session: Session, text: str, *, by: str, now: datetime, field: str) -> None:
    """A seal or box gets its number: the ledger follows where it knows it. Such numbers may come from elsewhere.

    Raises Invalid ``number_check_failed`` or Conflict ``label_number_voided``.
    """
    if numbers.recognise(text) is None or "-" in text:  # BX-12345 of another system only looks like ours
        return
    refuse_mistyped(text, field=field)
    row = _held(session, numbers.normalise(text))
    if row is None:
        return
    if row.state == VOIDED:
        _refuse_unfit(row, field=field)
    if row.state == PRINTED:
        _use(row, by, now)


def refuse_unusable(session: Session, text: str, *, field: str = "specimen") -> None:
    """Before a tube is looked up by the number in somebody's hand: says what is wrong with the label itself.

    Raises Invalid ``number_check_failed``, NotFound ``label_number_unknown``, Conflict ``label_number_voided`` or
    ``label_number_unregistered``; silent for other systems' numbers and for tubes that exist.
    """
    if numbers.recognise(text) is not Kind.ACCESSION:
        return
    refuse_mistyped(text, field=field)
    plain = numbers.normalise(text)
    if session.scalars(select(Specimen.id).where(Specimen.accession_key == plain).limit(1)).first() is not None:
        return
    row = session.get(LabelNumber, plain)
    if row is None:
        raise NotFound("label_number_unknown", field=field, number=plain)
    if row.state == VOIDED:
        _refuse_unfit(row, field=field)
    raise Conflict("label_number_unregistered", field=field, number=plain)


def void(
    session: Session, scope: Scope, texts: Sequence[str], *, reason: str, by: str, now: datetime, note: str = ""
) -> list[LabelNumber]:
    """Labels that must never be used. All or none; each keeps who said so, when and why.

    Raises Invalid ``label_void_reason``, ``label_none``, ``number_check_failed``; NotFound ``label_number_unknown``;
    Conflict ``label_number_used`` or ``label_number_voided``.
    """
    if reason not in VOID_REASONS:
        raise Invalid("label_void_reason", field="reason")
    rows = chosen(session, scope, texts)
    for row in rows:
        _refuse_unfit(row, field="numbers")
        row.state, row.state_at, row.state_by = VOIDED, now, by
        row.reason, row.note = reason, note[:MAX_NOTE]
    return rows


def chosen(session: Session, scope: Scope, texts: Iterable[str]) -> list[LabelNumber]:
    """The ledger's rows of typed or scanned numbers, locked, each once, of sites in ``scope``."""
    plain = list(dict.fromkeys(numbers.normalise(text) for text in texts if text.strip()))
    if not plain:
        raise Invalid("label_none", field="numbers")
    if len(plain) > MAX_BATCH:
        raise Invalid("label_batch_size", field="numbers", most=MAX_BATCH)
    found = []
    for text in sorted(plain):
        refuse_mistyped(text, field="numbers")
        row = _held(session, text)
        if row is None or not scope.covers(row.batch.site_code):
            raise NotFound("label_number_unknown", field="numbers", number=text[:40])
        found.append(row)
    return sorted(found, key=lambda row: (row.batch_id, row.position))


def _held(session: Session, number: str) -> LabelNumber | None:
    query = select(LabelNumber).where(LabelNumber.number == number)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()


def _refuse_unfit(row: LabelNumber, *, field: str) -> None:
    if row.state == VOIDED:
        raise Conflict("label_number_voided", field=field, number=row.number, reason=row.reason)
    if row.state == USED:
        raise Conflict("label_number_used", field=field, number=row.number)


def _use(row: LabelNumber, by: str, now: datetime) -> None:
    row.state, row.state_at, row.state_by = USED, now, by
