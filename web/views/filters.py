"""Keeping, choosing and forgetting filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, current_app, flash, g, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.wrappers import Response

from logistics.clock import wall_now
from logistics.db import transaction
from logistics.errors import Invalid, LabrelayError
from logistics.services import saved_filters as service
from web import personal, saved_filters
from web.access import access, roles_of
from web.auth import audit
from web.errors import status_of
from web.messages import sentence_of

blueprint = Blueprint("filters", __name__, url_prefix="/filters")


@blueprint.post("/")
@access("any")
def save() -> Response:
    """Form: page, query (as in an address), name, shared, chosen."""
    page = _page(request.form.get("page", ""))
    given = dict(parse_qsl(request.form.get("query", "")[:2000]))
    asked = {name: given[name] for name in saved_filters.PAGES[page] if given.get(name)}
    shared = bool(request.form.get("shared"))
    try:
        personal.refuse()
        with transaction() as session:
            owner = saved_filters.owner()
            name = request.form.get("name", "")
            one = service.save(session, owner, page, name, asked, shared=shared, now=wall_now())
            if request.form.get("chosen"):
                service.choose(session, owner, one.id, on=True)
            if shared:
                audit(session, "filter_shared", one.name, page=page)
            flash(gettext("Filter “%(name)s” kept", name=one.name), "ok")
    except LabrelayError as error:
        return _again(page, asked, error)
    return redirect(f"{url_for(page)}?{urlencode(asked or {'filter': saved_filters.NONE})}")


def _again(page: str, asked: Mapping[str, str], error: LabrelayError) -> Response:
    """The page with its question as it was, the name that was typed, and why the filter was not kept."""
    if not asked:  # nothing to keep: the page has no form for it
        flash(sentence_of(error), "danger")
        return redirect(f"{url_for(page)}?{urlencode({'filter': saved_filters.NONE})}")
    g.filter_problem = sentence_of(error)
    request.args = ImmutableMultiDict(asked)
    view: Callable[[], Any] = current_app.view_functions[page]
    shown = current_app.make_response(view())
    if shown.status_code == 200:
        shown.status_code = status_of(error)
    return shown


@blueprint.post("/<int:filter_id>/default")
@access("any")
def choose(filter_id: int) -> Response:
    """Form: on (1 or 0). The page opens with this filter, or plainly again."""
    with transaction() as session:
        one = service.choose(session, saved_filters.owner(), filter_id, on=request.form.get("on") == "1")
        page, query = _page(one.page), dict(one.query)
    return redirect(f"{url_for(page)}?{urlencode({**query, 'filter': filter_id})}")


@blueprint.post("/<int:filter_id>/delete")
@access("any")
def forget(filter_id: int) -> Response:
    """One's own only."""
    with transaction() as session:
        one = service.forget(session, saved_filters.owner(), filter_id)
        page, name = _page(one.page), one.name
        flash(gettext("Filter “%(name)s” deleted", name=name), "ok")
    return redirect(url_for(page, filter=saved_filters.NONE))


def _page(name: str) -> str:
    """A page that keeps filters and that the user may open. Raises Invalid('filter_page_unknown')."""
    app = current_app
    known = name in saved_filters.PAGES and name in app.view_functions
    if not known or current_user.role not in roles_of(app, name):
        raise Invalid("filter_page_unknown", field="page")
    return name
