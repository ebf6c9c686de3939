"""Where alerts go besides the inbox: typed forms, secrets write-only, a message to try them."""

from __future__ import annotations

from typing import Any

from flask import current_app, render_template, request
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import db, transaction
from logistics.errors import Invalid, LabrelayError
from logistics.models import Channel
from logistics.queries import admin as queries
from logistics.services import admin_catalogue as service
from logistics.services import alert_channels
from web.access import access
from web.auth import audit
from web.i18n import LOCALES
from web.messages import sentence_of
from web.rendering import locale
from web.views.admin.base import (
    EDITOR,
    NO_PROBLEM,
    READERS,
    Page,
    Problem,
    blueprint,
    flag,
    minutes,
    optional,
    text,
)
from web.views.admin.entry import done, entry, saved


@blueprint.get("/channels")
@access(*READERS)
def channels() -> str:
    session = db.session()
    return render_template(
        "admin/channels.html", channels=queries.channels(session), sites={s.code: s for s in queries.sites(session)}
    )


def _add(session: Session) -> Response:
    channel, changes = service.save_channel(session, None, _values(None), _config())
    audit(session, "channel_added", channel.name, **changes)
    said = gettext("Channel %(name)s added. Send a message to try it.", name=channel.name)
    return done(said, "channel", channel_id=channel.id)


def _change(channel_id: int, session: Session) -> Response:
    one = service.known_channel(session, channel_id)
    _, changes = service.save_channel(session, one, _values(one), _config())
    audit(session, "channel_changed", one.name, **changes)
    return saved("channel", channel_id=channel_id)


@blueprint.post("/channels/<int:channel_id>/test")
@access(EDITOR)
def try_channel(channel_id: int) -> Page:
    """Send one message now, outside the outbox, and say what came of it."""
    one = service.known_channel(db.session(), channel_id)
    settings = current_app.extensions["labrelay.settings"]
    kind, config, name = one.kind, dict(one.config), one.name
    problem = NO_PROBLEM
    try:
        host = alert_channels.check_config(kind, config)
        alert_channels.check_host(host, settings.alert_allowed_hosts)
        alert_channels.send(
            kind,
            config,
            title=gettext("Labrelay: a trial message"),
            text=gettext("Alerts of this installation will come here. Nothing has happened."),
            dedup_id=f"trial:{channel_id}",
            critical=False,
            allowed_hosts=settings.alert_allowed_hosts,
        )
    except LabrelayError as error:
        problem = Problem(error)
        problem.sentence = sentence_of(error)
    with transaction() as session:
        audit(session, "channel_tried", name, done=not problem)
    if problem:
        return _again(channel_id, problem), problem.status
    return done(gettext("The trial message was taken."), "channel", channel_id=channel_id)


def _values(channel: Channel | None) -> dict[str, Any]:
    return {
        "name": text("name", limit=60),
        "kind": channel.kind if channel is not None else text("kind"),
        "site_code": optional("site_code"),
        "min_severity": text("min_severity"),
        "locale": text("locale"),
        "active": flag("active"),
        "quiet_from_min": minutes("quiet_from", empty=True),
        "quiet_until_min": minutes("quiet_until", empty=True),
    }


def _config() -> dict[str, str]:
    kind = request.form.get("kind", "")
    names = {name for fields in service.CHANNEL_FIELDS.values() for name in fields}
    found = {name: request.form.get(f"{kind}_{name}", "") or request.form.get(name, "") for name in names}
    for name, value in found.items():
        if len(value) > 500 or not value.isprintable():
            raise Invalid("field_malformed", field=name)
    found["name"] = ""
    return found


def _page(channel: Channel | None, problem: Problem) -> str:
    kind = channel.kind if channel is not None else request.values.get("kind", "mail")
    if kind not in service.CHANNEL_FIELDS:
        kind = "mail"

    session = db.session()
    shown = service.open_fields(channel) if channel is not None else {}
    if request.method == "POST":
        names = set(service.CHANNEL_FIELDS[kind]) - service.SECRETS
        shown |= {name: request.form[name] for name in names if name in request.form}
    return render_template(
        "admin/channel.html",
        channel=channel,
        kind=kind,
        kinds=tuple(service.CHANNEL_FIELDS),
        config=shown,
        set_secrets=set(channel.config) & service.SECRETS if channel is not None else set(),
        form=request.form,
        problem=problem,
        sites=[(one.code, one.name(locale())) for one in queries.laboratories(session)],
        languages=LOCALES,
    )


_again = entry(
    "channel", "channels", "int:channel_id", known=service.known_channel, page=_page, add=_add, change=_change
)
