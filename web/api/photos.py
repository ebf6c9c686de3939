"""Photos of nonconformities: sent once, quoted by hash in acts, shown to those whom the tube or box concerns."""

from __future__ import annotations

import base64

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, in_transaction
from logistics.errors import Invalid
from logistics.models import Attachment
from logistics.services import attachments
from web.access import access
from web.auth import limiter, scope

blueprint = Blueprint("photos", __name__, url_prefix="/api/v1/photos")
SENDERS = ("collector", "courier", "receiver", "manager")
READERS = (*SENDERS, "dispatcher", "auditor")
PICTURE_POLICY = "default-src 'none'; sandbox"


@blueprint.post("")
@access(*SENDERS)
@limiter.limit("60 per minute")
def post_photo() -> Response:
    """The answer names the picture as it is kept; the same picture again is answered the same."""
    made = attachments.clean(_sent())  # before the transaction: it takes a while and needs no database

    def work(session: Session) -> Attachment:
        return attachments.keep(
            session, made, username=current_user.username, site_code=current_user.site_code, now=clock.now()
        )

    kept = in_transaction(work)
    return jsonify(
        {
            "photo": kept.sha256,
            "media_type": kept.media_type,
            "width_px": kept.width_px,
            "height_px": kept.height_px,
            "size_bytes": kept.size_bytes,
        }
    )


def _sent() -> bytes:
    """The bytes of the field ``photo``: multipart from pages and phones, base64 in JSON from machines."""
    if request.is_json:
        body = request.get_json(silent=True)
        text = body.get("photo") if isinstance(body, dict) else None
        if not isinstance(text, str) or not text:
            raise Invalid("photo_missing", field="photo")
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            raise Invalid("photo_unreadable", field="photo") from None
    sent = request.files.get("photo")
    if sent is None:
        raise Invalid("photo_missing", field="photo")
    return bytes(sent.stream.read(attachments.MOST_BYTES + 1))


@blueprint.get("/<sha256>")
@access(*READERS)
def photo(sha256: str) -> Response:
    """The picture itself. Never kept by a browser or a proxy: whoever signs in next must not find it."""
    found = attachments.visible(db.session(), sha256, scope(), current_user.username)
    response = Response(found.data, mimetype=found.media_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    response.headers["Content-Disposition"] = 'inline; filename="photo.jpg"'
    return response
