"""The navigation: what stands in it for whom, what it marks, and where everybody begins."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import factories as f
from tests.browser.screens import SCREENS, Screen
from web import nav

Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.mark.parametrize(
    ("who", "home", "found"),
    [
        ("manager", "/manager/alerts", {"/unsent", "/send-outs"}),
        ("receiver", "/receiver", {"/unsent", "/send-outs"}),
        ("nurse", "/collector", {"/unsent"}),
        ("dispatcher", "/dispatch", {"/unsent"}),
    ],
)
def test_what_is_not_sent_and_what_goes_out_stand_in_the_navigation(
    client: FlaskClient, session: Session, login: Login, who: str, home: str, found: set[str]
) -> None:
    """Whoever may open the pages finds them, and begins the day where he always did."""
    f.world(session)
    page = login(client, who).get("/account").get_data(as_text=True)
    links = {link.rstrip("/") for link in re.findall(r'<a[^>]* href="([^"?#]+)"', page)}
    assert found <= links
    assert str(client.get("/").headers["Location"]).startswith(home)


ROLES = {"nurse": "collector", "admin": "administrator"}
"""Of the people of the screens whose name is not that of their role."""
NOT_BELOW = {
    "/dispatch/compare": "/dispatch/plans",
    "/manager/assessments/": "/manager/excursions",
    "/manager/deliveries": "/manager/routes",
}
"""Pages whose address is not below that of the item they belong to."""
OPENED_FROM_ANYWHERE = ("/account", "/consignments/", "/journey")


def marked(app: Flask, screen: Screen) -> tuple[list[str], list[str]]:
    """The addresses of the items that the page marks, and of all that its reader has."""
    path = re.sub(r"\{\w+\}", "1", screen.path)
    with app.test_request_context(path):
        items = nav.items_for(app, SimpleNamespace(role=ROLES.get(screen.role, screen.role)))
    return [one["url"].rstrip("/") for one in items if one["active"]], [one["url"].rstrip("/") for one in items]


@pytest.mark.parametrize("screen", [one for one in SCREENS if one.role], ids=lambda one: one.name)
def test_every_page_marks_the_item_it_belongs_to(app: Flask, screen: Screen) -> None:
    """The item with the longest address that the page's begins with; for the few that lie elsewhere, where they are
    reached from; none for what is opened from anywhere. Never two."""
    path = screen.path.partition("?")[0].rstrip("/")
    found, mine = marked(app, screen)
    above = [url for url in mine if path == url or path.startswith(f"{url}/")]
    if above:
        assert found == [max(above, key=len)]
        return
    other = [url for start, url in NOT_BELOW.items() if screen.path.startswith(start)]
    assert found == other
    assert other or path.startswith(OPENED_FROM_ANYWHERE)


def test_the_page_says_which_item_is_the_current_one(client: FlaskClient, session: Session, login: Login) -> None:
    """To the manager who reads what was sent: 'Who is told', once in the long row of links and once in the short one's
    list of more, whose button is marked for it."""
    f.world(session)
    page = login(client, "manager").get("/manager/deliveries?lang=en").get_data(as_text=True)
    assert (
        re.findall(r'<a class="(?:nav-link|menu-item)" href="([^"]+)"[^>]*aria-current', page)
        == ["/manager/routes"] * 2
    )
    assert re.findall(r'data-open="more-dialog"([^>]*)', page) == [' aria-current="true"']
