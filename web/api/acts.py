"""POST /api/v1/acts: the one door through which custody changes. Format: docs/formats/acts.md."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from flask import Blueprint, Response, current_app, jsonify
from flask.blueprints import BlueprintSetupState
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import in_transaction
from logistics.domain.acts import HOWS, Act, Answer
from logistics.errors import Invalid, LabrelayError
from logistics.services import custody, together
from web import auth, remembered
from web.access import access
from web.api.plain import listed, named, refuse_nul
from web.gathering import Gathering
from web.messages import sentence

blueprint = Blueprint("acts", __name__, url_prefix="/api/v1")
MAX_ACTS = 500
MAX_ACT_BYTES = 64 * 1024
MAX_SEQ = 2**31 - 1
MAX_TEXT = 64
GATHERING = "labrelay.acts_gathering"


@blueprint.record
def _gather(state: BlueprintSetupState) -> None:
    state.app.extensions[GATHERING] = Gathering(record_gathered)


class Position(msgspec.Struct, forbid_unknown_fields=True):
    """WGS-84 degrees."""

    lat: float
    lon: float
    accuracy_m: float | None = None


class ActIn(msgspec.Struct, forbid_unknown_fields=True):
    """One act as sent."""

    id: str
    type: str
    occurred_at: str
    subject: dict[str, Any] = {}
    payload: dict[str, Any] = {}
    device: str = ""
    seq: int | None = None
    how: str = "typed"
    site: str | None = None
    position: Position | None = None
    offline: bool = False


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The body: the acts are checked one by one, so that a bad one does not take the others with it."""

    acts: list[msgspec.Raw]


@blueprint.post("/acts")
@auth.limiter.exempt  # nothing limits it: not even to look for limits
@access("collector", "courier", "dispatcher", "receiver", "manager")
def post_acts() -> Response:
    """Record acts. Always answers per act, in the order they were sent."""
    sent = listed(Envelope, MAX_ACTS, malformed="acts_malformed", too_many="too_many_acts")
    answers = record([read(raw) for raw in sent])
    return jsonify({"answers": answers})


def record(entries: list[Act | dict[str, Any]]) -> list[dict[str, Any]]:
    """Record what could be read, in order; what could not already is its own answer."""
    acts = [entry for entry in entries if isinstance(entry, Act)]
    answers = iter(_recorded(acts) if acts else ())
    return [rendered(next(answers)) if isinstance(entry, Act) else entry for entry in entries]


def _recorded(acts: Sequence[Act]) -> list[Answer]:
    found = None
    if together.may_share(acts):
        gathering: Gathering[together.Post, list[Answer]] = current_app.extensions[GATHERING]
        found = gathering.submit(sent(acts))
    else:
        with suppress(together.Apart):
            found = record_gathered([sent(acts)])[0]
    if found is None:
        auth.look_again()
        found = _one_by_one(sent(acts))
    return found


def sent(acts: Sequence[Act]) -> together.Post:
    return together.Post(acts, remembered.sender(), auth.scope(), remembered.stamp())


def record_gathered(posts: Sequence[together.Post]) -> list[list[Answer]]:
    """What several people sent at the same time, in one transaction. Raises together.Apart."""

    def work(session: Session) -> list[list[Answer]]:
        return together.record_posts(session, posts, now=clock.now())

    return in_transaction(work)


def _one_by_one(post: together.Post) -> list[Answer]:
    def work(session: Session) -> list[Answer]:
        return custody.record(session, post.acts, actor=post.actor, scope=post.scope, now=clock.now())

    return in_transaction(work)


def read(raw: msgspec.Raw) -> Act | dict[str, Any]:
    """An act, or the refusal of one that cannot be read."""
    act_id = ""
    try:
        if len(bytes(raw)) > MAX_ACT_BYTES:
            act_id = named(raw, "id")
            raise Invalid("too_large", field="payload")
        one = msgspec.json.decode(raw, type=ActIn)
        act_id = one.id
        return to_act(one)
    except msgspec.ValidationError as error:
        return refusal(act_id or named(raw, "id"), Invalid("act_malformed", field="acts", detail=str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return refusal(act_id or named(raw, "id"), Invalid("json_malformed", field="acts"))
    except LabrelayError as error:
        return refusal(act_id, error)


def to_act(sent: ActIn) -> Act:
    try:
        act_id = str(UUID(sent.id))
    except ValueError:
        raise Invalid("act_id_malformed", field="id") from None
    if sent.how not in HOWS:
        raise Invalid("field_malformed", field="how")
    for name, value in (("type", sent.type), ("device", sent.device), ("site", sent.site)):
        refuse_nul(value, field=name)
    if len(sent.type) > MAX_TEXT or len(sent.site or "") > MAX_TEXT:
        raise Invalid("field_malformed", field="type" if len(sent.type) > MAX_TEXT else "site")
    if sent.seq is not None and not 0 <= sent.seq <= MAX_SEQ:
        raise Invalid("field_malformed", field="seq")
    refuse_nul(sent.subject, field="subject")
    refuse_nul(sent.payload, field="payload")
    position = sent.position
    if position and not (-90 <= position.lat <= 90 and -180 <= position.lon <= 180):
        raise Invalid("field_malformed", field="position")
    return Act(
        id=act_id,
        type=sent.type,
        occurred_at=clock.parse_instant(sent.occurred_at),
        subject=sent.subject,
        payload=sent.payload,
        device=sent.device[:64],
        seq=sent.seq,
        how=sent.how,
        site=sent.site,
        lat=degrees(position.lat) if position else None,
        lon=degrees(position.lon) if position else None,
        offline=sent.offline,
    )


def degrees(value: float) -> str:
    """As text: the log holds no floats."""
    return str(Decimal(repr(value)))


def refusal(act_id: str, error: LabrelayError) -> dict[str, Any]:
    return {
        "id": act_id,
        "status": "refused",
        "code": error.code,
        "sentence": sentence(error.code, error.params),
        "field": error.field,
        "params": error.params,
        "result": {},
    }


def rendered(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "status": answer.status.value,
        "code": answer.code,
        "sentence": sentence(answer.code, answer.params),
        "field": answer.field,
        "params": dict(answer.params),
        "result": dict(answer.result),
    }
