"""Keys for machines: made with a user's name and password, shown once, revoked at will."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from flask_login import current_user
from sqlalchemy import select

from logistics.clock import wall_now
from logistics.db import db, transaction
from logistics.errors import Forbidden, Invalid, NotFound
from logistics.models import ApiToken, User
from web import auth
from web.access import access
from web.api.plain import refuse_nul

blueprint = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens")


def _limit() -> str:
    return str(current_app.extensions["labrelay.settings"].login_limit)


def _key() -> str:
    return f"{request.remote_addr}|{str(_body().get('username', '')).strip().lower()}"


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


@blueprint.post("")
@access("public")
@auth.limiter.limit(_limit, key_func=_key, deduct_when=lambda response: response.status_code != 201)
def create() -> tuple[Response, int]:
    """{username, password, name} → {token}. The token is shown this once."""
    body = _body()
    for field in ("username", "password", "name"):
        if not isinstance(body.get(field), str) or not body[field]:
            raise Invalid("field_missing", field=field)
        refuse_nul(body[field], field=field)
    try:
        with transaction() as session:
            user = auth.authenticate(session, body["username"], body["password"])
    except Forbidden:
        with transaction() as session:
            auth.audit(session, "login_failed", body["username"][:80], username=body["username"][:80])
        raise
    with transaction() as session:
        user = session.get_one(User, user.id)
        secret = auth.issue_token(session, user, body["name"][:80])
        auth.audit(session, "token_made", body["name"][:80], username=user.username)
    return jsonify({"token": secret, "username": user.username, "role": user.role, "site": user.site_code}), 201


@blueprint.get("")
@access("any")
def listing() -> Response:
    """The caller's own keys; no secrets."""
    query = select(ApiToken).where(ApiToken.user_id == current_user.id).order_by(ApiToken.id)
    return jsonify(
        {
            "tokens": [
                {
                    "id": token.id,
                    "name": token.name,
                    "created_at": token.created_at.isoformat(),
                    "revoked_at": token.revoked_at.isoformat() if token.revoked_at else None,
                }
                for token in db.session.scalars(query)
            ]
        }
    )


@blueprint.delete("/<int:token_id>")
@access("any")
def revoke(token_id: int) -> Response:
    with transaction() as session:
        token = session.get(ApiToken, token_id)
        if token is None or token.user_id != current_user.id:
            raise NotFound("token_unknown", field="token")
        token.revoked_at = token.revoked_at or wall_now()
        auth.audit(session, "token_revoked", token.name)
    return jsonify({"id": token_id, "revoked": True})
