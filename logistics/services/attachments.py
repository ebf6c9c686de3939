"""Pictures of nonconformities: made anew so that they hold pixels only, kept by what they show, quoted by hash.

A phone's picture tells where and with which device it was taken; a crafted one may unpack to gigabytes. So nothing
that was sent is kept: the pixels are read within limits, turned upright, made smaller and written as a new JPEG.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from logistics.domain.access import Scope
from logistics.errors import Invalid, NotFound
from logistics.models import Attachment, Consignment, ConsignmentLine, Nonconformity, Specimen
from logistics.services.desk import Desk

MOST_BYTES = 8 * 1024 * 1024  # as sent
MOST_PIXELS = 40_000_000  # a 40-megapixel phone; 120 MB in memory
SIDE_PX = 1600  # longest side as kept: a label in the picture stays readable
QUALITY = 82
FORMATS = ("JPEG", "PNG", "WEBP")
MEDIA_TYPE = "image/jpeg"
UNUSED_KEPT = timedelta(days=30)
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept."""

    data: bytes
    width_px: int
    height_px: int


def clean(raw: bytes) -> Picture:
    """The picture as it is kept: a JPEG made anew, without any of the metadata that came with what was sent.

    Raises Invalid('photo_too_large') or Invalid('photo_unreadable').
    """
    if len(raw) > MOST_BYTES:
        raise Invalid("photo_too_large", field="photo", limit_mb=MOST_BYTES // 2**20)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw), formats=FORMATS) as sent:
                if sent.width * sent.height > MOST_PIXELS:  # told by the head, before anything is unpacked
                    raise Invalid("photo_too_large", field="photo", limit_mb=MOST_BYTES // 2**20)
                sent.draft("RGB", (SIDE_PX, SIDE_PX))  # a large JPEG is read at the size that is needed
                upright = ImageOps.exif_transpose(sent).convert("RGB")
    except Invalid:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, ValueError,
            SyntaxError, MemoryError) as error:  # fmt: skip
        raise Invalid("photo_unreadable", field="photo") from error
    upright.thumbnail((SIDE_PX, SIDE_PX))
    pixels = Image.new("RGB", upright.size)
    pixels.paste(upright)  # a new picture: nothing that was attached to the old one comes along
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=QUALITY, optimize=True)
    return Picture(out.getvalue(), pixels.width, pixels.height)


def keep(session: Session, picture: Picture, *, username: str, site_code: str | None, now: datetime) -> Attachment:
    """Keep a picture; the same picture again is the same row. Clears away pictures that nobody used in a month."""
    sha256 = hashlib.sha256(picture.data).hexdigest()
    session.execute(delete(Attachment).where(Attachment.used_at.is_(None), Attachment.uploaded_at < now - UNUSED_KEPT))
    row = {
        "sha256": sha256,
        "media_type": MEDIA_TYPE,
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "size_bytes": len(picture.data),
        "uploaded_at": now,
        "uploaded_by": username,
        "site_code": site_code,
        "used_at": None,
        "data": picture.data,
    }
    insert_ignoring(session, Attachment.__table__, row)
    return session.get_one(Attachment, sha256)


def quoted(desk: Desk) -> Mapping[str, Any]:
    """What an event says of the picture that the act names: its hash, so that the record proves the picture.

    Raises NotFound('photo_unknown') for one that was not sent, or not by somebody of the actor's sites.
    """
    sha256 = desk.payload("photo", required=False)
    if sha256 is None:
        return {}
    row = desk.session.get(Attachment, sha256) if SHA256.fullmatch(sha256) else None
    if row is None or (row.uploaded_by != desk.actor.username and not desk.scope.covers(row.site_code)):
        raise NotFound("photo_unknown", field="photo")
    if row.used_at is None:
        row.used_at = desk.now
    return {"photo": sha256}


def visible(session: Session, sha256: str, scope: Scope, username: str) -> Attachment:
    """The picture, for who sent it and for those who may see a tube or box that it is about.

    Raises NotFound('photo_unknown').
    """
    row = session.get(Attachment, sha256) if SHA256.fullmatch(sha256) else None
    if row is None or not (scope.everything or row.uploaded_by == username or _concerns(session, sha256, scope)):
        raise NotFound("photo_unknown", field="photo")
    return row


def _concerns(session: Session, sha256: str, scope: Scope) -> bool:
    sites = sorted(scope.sites)
    consignment = select(Consignment.number).where(
        or_(Consignment.origin_code.in_(sites), Consignment.destination_code.in_(sites))
    )
    mine = or_(
        Nonconformity.origin_code.in_(sites),
        Nonconformity.site_code.in_(sites),
        Specimen.destination_code.in_(sites),
        Specimen.location_code.in_(sites),
        Nonconformity.consignment_number.in_(consignment) & Nonconformity.specimen_id.is_(None),
    )
    query = (
        select(Nonconformity.id)
        .outerjoin(Specimen, Specimen.id == Nonconformity.specimen_id)
        .where(Nonconformity.photo == sha256, mine)
    )
    return session.scalars(query.limit(1)).first() is not None


def last_consignment(session: Session, specimen_id: int) -> str | None:
    """The consignment in which the tube was looked at last."""
    return session.scalars(
        select(ConsignmentLine.consignment_number)
        .where(ConsignmentLine.specimen_id == specimen_id, ConsignmentLine.checked_at.is_not(None))
        .order_by(ConsignmentLine.checked_at.desc())
        .limit(1)
    ).first()
