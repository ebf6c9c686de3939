"""Sites: list, add, change."""

from __future__ import annotations

from typing import Any

from flask import render_template
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.db import db
from logistics.models import Site
from logistics.queries import admin as queries
from logistics.services import admin, network
from web.access import access
from web.auth import audit
from web.rendering import locale
from web.views.admin.base import (
    READERS,
    Problem,
    blueprint,
    flag,
    minutes,
    needed,
    number,
    optional,
    text,
    typed,
)
from web.views.admin.entry import done, entry, saved


@blueprint.get("/sites")
@access(*READERS)
def sites() -> str:
    found = queries.sites(db.session())
    return render_template("admin/sites.html", sites=found, by_code={site.code: site for site in found})


def _add(session: Session) -> Response:
    code = text("code", limit=32)
    admin.add_site(session, code, _values())
    audit(session, "site_added", code)
    return done(gettext("Site %(code)s added.", code=code), "sites")


def _change(code: str, session: Session) -> Response:
    changes = admin.change_site(session, code, {**_values(), "active": flag("active")})
    audit(session, "site_changed", code, **changes)
    return saved("sites")


def _values() -> dict[str, Any]:
    return {
        "name_zh": text("name_zh"),
        "name_en": text("name_en"),
        "tier": text("tier"),
        "parent_code": optional("parent_code"),
        "county_zh": text("county_zh"),
        "county_en": text("county_en"),
        "lat": number("lat"),
        "lon": number("lon"),
        "terrain": text("terrain") or "mixed",
        "opens_min": minutes("opens_min"),
        "closes_min": minutes("closes_min"),
        "pickup_from_min": minutes("pickup_from_min"),
        "pickup_to_min": minutes("pickup_to_min"),
        "cutoff_min": minutes("cutoff_min", empty=True),
        "service_min": needed("service_min", whole=True),
        "contact_name": text("contact_name"),
        "contact_phone": text("contact_phone"),
    }


def _page(site: Site | None, problem: Problem) -> str:
    others = [one for one in queries.sites(db.session()) if one.tier != "township"]
    parents = [(one.code, one.name(locale())) for one in others if site is None or one.code != site.code]
    return render_template("admin/site.html", site=site, value=typed(site), problem=problem, parents=parents)


entry("site", "sites", "code", known=network.site, page=_page, add=_add, change=_change)
