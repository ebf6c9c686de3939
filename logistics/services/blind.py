"""Blind samples: a trial tube that a township sends up among its own, and that nobody on the way can tell from them.

Two numbers that nothing but ``blind_key`` ties together: the parcel in which the tube goes down is an ordinary load
item; the tube in it bears a number that is pre-printed for the township. There it is registered, packed and sent like
every tube with such a number, and from then on it is one.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import personal
from logistics.domain.numbers import Kind
from logistics.errors import Invalid, NotFound
from logistics.imports.text import mask_name
from logistics.models import BlindKey, Item, Specimen
from logistics.services import label_ledger, orders

MAX_TEXT = 200
MAX_REFERENCE = 40


def make(
    session: Session,
    item: Item,
    *,
    reference: str,
    expected: str,
    tests: Sequence[str],
    label_ref: str,
    stock: str,
    symbology: str,
    by: str,
    now: datetime,
) -> BlindKey:
    """Write down what the tube in a parcel really is, and draw its number. None of it gets into log, act or item.

    Raises Invalid without a reference (``field_missing``) or for tests that do not go into one tube.
    """
    if not reference.strip():
        raise Invalid("field_missing", field="reference")
    for field, text in (("reference", reference), ("expected", expected), ("label_ref", label_ref)):
        personal.require_none(text, field=field)
    known = orders.known_tests(session, tests)
    if not known:
        raise Invalid("field_missing", field="tests")
    batch = label_ledger.make_batch(
        session,
        kind=Kind.ACCESSION,
        count=1,
        stock=stock,
        symbology=symbology,
        site=item.destination_code,
        by=by,
        now=now,
    )
    key = BlindKey(
        id=uuid.uuid4().hex[:16],
        item_number=item.number,
        tube_number=batch.first_number,
        site_code=item.origin_code,
        reference=reference.strip()[:MAX_TEXT],
        expected=expected.strip()[:MAX_TEXT],
        tests=" ".join(test.code for test in known),
        label_ref=mask_name(label_ref)[:MAX_REFERENCE],
        made_by=by,
        made_at=now,
    )
    session.add(key)
    session.flush()
    return key


def one(session: Session, site: str | None, key_id: str) -> BlindKey:
    """Raises NotFound('not_found'), for those of other laboratories, too."""
    found = session.scalars(select(BlindKey).where(BlindKey.id == key_id)).first()
    if found is None or found.site_code != site:
        raise NotFound("not_found", field="key")
    return found


def of_site(session: Session, site: str | None, *, limit: int) -> list[tuple[BlindKey, Item, Specimen | None]]:
    """A laboratory's blind samples, newest first: what each is, its parcel, and the tube once the township has
    registered it."""
    query = (
        select(BlindKey, Item, Specimen)
        .join(Item, Item.number == BlindKey.item_number)
        .outerjoin(Specimen, Specimen.accession_key == BlindKey.tube_number)
        .where(BlindKey.site_code == site)
        .order_by(BlindKey.made_at.desc(), BlindKey.id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query.limit(limit))]
