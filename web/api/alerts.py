"""Alerts over the API: the inbox as JSON, and the acknowledgement with a word."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import Forbidden, Invalid
from logistics.queries import alerts as queries
from logistics.services import alerts
from web import alert_texts
from web.access import access
from web.api.records import iso
from web.auth import scope
from web.rendering import locale

blueprint = Blueprint("alerts", __name__, url_prefix="/api/v1/alerts")
READERS = ("manager", "dispatcher", "administrator", "auditor")


@blueprint.get("")
@access(*READERS)
def listing() -> Response:
    """Query: state (open: nobody has acknowledged it; snoozed; acknowledged; ended; all), kind, limit.

    Answers 304 to If-None-Match while neither alerts nor custody changed.
    """
    session = db.session()
    tab = request.args.get("state", "open")
    if tab not in queries.TABS:
        raise Invalid("alert_state_unknown", field="state")
    tag = f"{queries.version(session)}-{current_user.id}-{locale()}-{request.query_string.decode()}"

    def build() -> Response:
        kind = request.args.get("kind", "")
        found = queries.inbox(session, scope(), now=clock.now(), tab=tab, kind=kind, limit=_limit())
        return jsonify({"alerts": [alert_json(entry) for entry in found]})

    return unless_known(tag, build)


def unless_known(tag: str, build: Callable[[], Response]) -> Response:
    """What ``build`` makes, with an ETag of ``tag``; 304 without building when the caller has it already."""
    etag = hashlib.sha256(tag.encode()).hexdigest()[:20]
    response = Response(status=304) if request.if_none_match.contains(etag) else build()
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@blueprint.post("/<int:alert_id>/acknowledge")
@access("manager", "dispatcher")
def acknowledge(alert_id: int) -> Response:
    """Body {"word": "…"}: from here the user answers for it. Dispatchers: urgent calls and late boxes alone."""
    body = request.get_json(silent=True)
    word = body.get("word") if isinstance(body, dict) else None
    if not isinstance(word, str):
        raise Invalid("field_missing", field="word")
    with transaction() as session:
        if not queries.may_acknowledge(current_user.role, queries.one(session, scope(), alert_id)):
            raise Forbidden("role_not_allowed")
        alert = alerts.acknowledge(
            session, alert_id, word=word, username=current_user.username, scope=scope(), now=clock.now()
        )
        session.flush()
        entry = queries.entries(session, [alert])[0]
        return jsonify(alert_json(entry))


@blueprint.post("/<int:alert_id>/snooze")
@access("manager", "dispatcher")
def snooze(alert_id: int) -> Response:
    """Body {"minutes": 30, "word": "…"}: put off until then. Dispatchers as in ``acknowledge``."""
    body = request.get_json(silent=True)
    body = body if isinstance(body, dict) else {}
    word, minutes = body.get("word"), body.get("minutes")
    if not isinstance(word, str):
        raise Invalid("field_missing", field="word")
    if not isinstance(minutes, int) or isinstance(minutes, bool):
        raise Invalid("field_missing", field="minutes")
    with transaction() as session:
        if not queries.may_acknowledge(current_user.role, queries.one(session, scope(), alert_id)):
            raise Forbidden("role_not_allowed")
        alert = alerts.snooze(
            session, alert_id, minutes=minutes, word=word, username=current_user.username, scope=scope(),
            now=clock.now(),
        )  # fmt: skip
        session.flush()
        return jsonify(alert_json(queries.entries(session, [alert])[0]))


def alert_json(entry: queries.Entry) -> dict[str, Any]:
    """An alert for machines and scripts; ``title`` and ``text`` in the caller's language."""
    one = entry.alert
    heading, lines = alert_texts.words(db.session(), one, locale())
    return {
        "id": one.id,
        "kind": one.kind,
        "severity": one.severity,
        "state": one.state,
        "level": one.level,
        "site": one.site_code,
        "origin": one.origin_code,
        "box": one.box_code,
        "consignment": one.consignment_number,
        "specimen_ids": one.specimen_ids,
        "title": heading,
        "text": "\n".join(lines),
        "params": one.params,
        "occurred_at": iso(one.occurred_at),
        "raised_at": iso(one.raised_at),
        "ended_at": iso(one.ended_at),
        "acknowledged_at": iso(one.acknowledged_at),
        "acknowledged_by": one.acknowledged_by,
        "comment": one.comment,
        "snoozed_until": iso(one.snoozed_until),
        "holder": entry.holder.username if entry.holder else None,
    }


def _limit() -> int:
    text = request.args.get("limit", "100")
    if not text.isdecimal() or not 1 <= int(text) <= queries.MAX_ROWS:
        raise Invalid("limit_out_of_range", field="limit", maximum=queries.MAX_ROWS)
    return int(text)
