"""The navigation: what stands in it for whom, and where everybody begins."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import factories as f

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
