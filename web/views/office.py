"""What the pages of collectors and receivers share: tubes and names as JSON, answers to scripts in words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from flask import Response, g, jsonify, request
from flask_login import current_user
from sqlalchemy import select

from logistics import catalogue
from logistics.db import db
from logistics.errors import Invalid, LabrelayError
from logistics.labels.sizes import SPECIMEN
from logistics.models import Site, Specimen, User
from logistics.services import label_stocks, legs, network
from web.errors import status_of
from web.messages import sentence_of
from web.rendering import locale

View = TypeVar("View", bound=Callable[..., Any])


def own_site() -> str:
    """The site where the present user works. Raises Invalid('site_missing') for a user of the whole network."""
    code: str | None = current_user.site_code
    if code is None:
        raise Invalid("site_missing", field="site")
    return code


def json_errors(view: View) -> View:
    """Answer errors of this view as {code, sentence, field}: a script asked."""

    @functools.wraps(view)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except LabrelayError as error:
            body = {"code": error.code, "sentence": sentence_of(error), "field": error.field}
            return jsonify(body), status_of(error)

    return answer  # type: ignore[return-value]


def tagged(body: dict[str, Any]) -> Response:
    """JSON with an ETag, so that a page may ask every two seconds and mostly hear 'nothing new'."""
    response = jsonify(body)
    response.add_etag()
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response


@functools.cache
def _type_names() -> dict[str, tuple[str, str]]:
    return {one.code: (one.name_zh, one.name_en) for one in catalogue.load_specimen_types()}


@functools.cache
def _containers() -> dict[str, catalogue.Container]:
    return {one.code: one for one in catalogue.load_containers()}


def type_name(code: str) -> str:
    """The specimen type in the reader's language; the code itself when the catalogue does not know it."""
    names = _type_names().get(code)
    return code if names is None else names[locale() == "en"]


def container_name(code: str) -> str:
    known = _containers().get(code)
    if known is None:
        return code
    return known.name_en if locale() == "en" else known.name_zh


def cap_colour(code: str) -> str:
    """#rrggbb of the tube's cap, empty where there is no agreed colour."""
    known = _containers().get(code)
    return known.cap_colour if known is not None else ""


def site_name(code: str | None) -> str:
    """The site's name. A page with hundreds of rows asks for each site once."""
    if not code:
        return ""
    known: dict[tuple[str, str], str] = g.setdefault("labrelay_site_names", {})
    key = (code, locale())
    if key not in known:
        site = db.session.get(Site, code)
        known[key] = site.name(locale()) if site is not None else code
    return known[key]


def test_words(specimen: Specimen) -> list[str]:
    """Names of the tests on the tube: the short Chinese one, or the code in English."""
    if locale() == "en":
        return [ordered.test_code for ordered in specimen.tests]
    return [ordered.test.short_zh or ordered.test.name_zh for ordered in specimen.tests]


def install_filters(state: Any) -> None:
    """Template filters of these pages: |tests, |container_name, |cap_colour, |type_name, |site_name."""
    state.app.jinja_env.globals.update(
        couriers_here=couriers_here, site_here=lambda: current_user.site_code, prints_on=prints_on
    )
    state.app.jinja_env.filters.update(
        tests=test_words,
        container_name=container_name,
        cap_colour=cap_colour,
        type_name=type_name,
        site_name=site_name,
    )


def prints_on(kind: str = SPECIMEN) -> label_stocks.Setting:
    """What the present user's site prints this kind of label on."""
    return label_stocks.setting(db.session(), current_user.site_code, kind)


def couriers_here() -> list[dict[str, str]]:
    """The couriers who fetch from the present user's site: those of it and of the sites above."""
    session = db.session()
    chain = legs.chain_up(current_user.site_code or "", network.parents(session))
    query = select(User).where(User.role == "courier", User.active, User.site_code.in_(chain)).order_by(User.username)
    return [{"username": one.username, "name": one.name(locale())} for one in session.scalars(query)]


def iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def tube_json(specimen: Specimen) -> dict[str, Any]:
    """A tube as scripts show it. No patient reference."""
    return {
        "id": specimen.id,
        "accession": specimen.accession,
        "type": type_name(specimen.specimen_type),
        "container": container_name(specimen.container),
        "cap": cap_colour(specimen.container),
        "tests": test_words(specimen),
        "priority": specimen.priority,
        "temp_class": specimen.temp_class,
        "state": specimen.state,
        "on_hold": specimen.on_hold,
        "stability": specimen.stability,
        "use_by": iso(specimen.use_by_at),
        "collected_at": iso(specimen.collected_at),
        "destination": specimen.destination_code,
        "destination_name": site_name(specimen.destination_code),
        "reason": specimen.reject_reason,
    }
