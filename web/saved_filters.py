"""Saved filters on a page: the bar above the list, and opening a page with the reader's own default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import g, redirect, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from logistics.errors import Invalid
from logistics.services import saved_filters
from logistics.services.saved_filters import Kept, Owner

PAGES: Mapping[str, tuple[str, ...]] = {
    "search.specimens": ("q", "site", "courier", "state", "priority", "test", "box", "from", "to"),
    "search.consignments": ("q", "site", "courier", "state", "priority", "box", "from", "to"),
    "collector.worklist": ("q", "group", "priority"),
    "receiver.incoming": ("state", "origin", "late"),
    "manager.inbox": ("state", "kind"),
}
"""The pages that keep filters, each with what may be asked of it."""
NONE = "none"  # the value of ``filter`` that opens a page plain, whatever its default


@dataclass(frozen=True, slots=True)
class Bar:
    """What the bar shows. ``asked``: the present question, as it would be kept; ``problem``: why it was not."""

    page: str
    kept: Sequence[Kept]
    asked: Mapping[str, str]
    current: int | None
    problem: str = ""


def owner() -> Owner:
    return Owner(current_user.username, current_user.site_code)


def asked(page: str) -> dict[str, str]:
    """The present address's question, in the page's own words."""
    return {name: value for name in PAGES[page] if (value := request.args.get(name, "").strip())}


def bar(session: Session, page: str) -> Bar:
    """Raises Invalid('filter_field_unknown') when the address asks what the page does not know."""
    kept = saved_filters.of_page(session, owner(), page)
    present = asked(page)
    current = next((one.id for one in kept if dict(one.query) == present), None)
    return Bar(page, kept, present, current, g.get("filter_problem", ""))


def opening(session: Session, page: str) -> Response | None:
    """Where a plain call of the page leads when its reader has chosen a default."""
    if request.args.keys() - {"lang"}:
        return None
    found = saved_filters.default_of(session, owner(), page)
    return redirect(address(page, found)) if found is not None else None


def check_fields(page: str) -> None:
    """A kept filter that asks what the page no longer knows is refused, not half answered.

    Raises Invalid('filter_field_unknown').
    """
    key = request.args.get("filter", "")
    if not key.isdecimal():
        return
    strange = saved_filters.unknown_fields(request.args.to_dict(), (*PAGES[page], "filter", "lang", "after", "format"))
    if strange:
        raise Invalid("filter_field_unknown", field="filter", name=strange[0][:40])


def address(page: str, one: Kept) -> str:
    """The address of a filter: it can be sent to a colleague, who sees what he may see."""
    return with_query(page, {**one.query, "filter": str(one.id)})


def with_query(page: str, query: Mapping[str, str]) -> str:
    return f"{url_for(page)}?{urlencode(query)}" if query else url_for(page)
