"""The temperatures of a box as its chart asks for them: who may, what stands in the answer, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from tests import warm_box
from tests.factories import START

Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.mark.both_databases
def test_a_box_with_its_band_excursions_and_events(
    session: Session, app_clock: FixedClock, client: FlaskClient, login: Login
) -> None:
    """Series, band, what broke which rule, handovers; a stretch cut narrower; another county finds no such box."""
    warm_box.build(session)
    app_clock.set(warm_box.ENDS)
    session.rollback()
    login(client, "manager")
    span = {"from": (START - timedelta(hours=1)).isoformat(), "to": warm_box.ENDS.isoformat()}
    found = client.get("/api/v1/boxes/BX-C/temperatures", query_string=span).get_json()
    assert found["band"] == {"low": 2.0, "high": 8.0}
    [series] = found["series"]
    assert (series["device"], series["max"], series["gaps"]) == ("LG-1", 12.0, [])
    assert found["excursions"][0]["from"] == (START + timedelta(minutes=10)).timestamp()
    assert found["events"]
    narrow = span | {
        "from": (START + timedelta(minutes=20)).isoformat(),
        "to": (START + timedelta(minutes=31)).isoformat(),
    }
    finer = client.get("/api/v1/boxes/BX-C/temperatures", query_string=narrow).get_json()
    assert finer["series"][0]["temp"] == [12.0, 12.0, 12.0]
    for wrong, field in (
        (span | {"from": "then"}, "from"), (span | {"from": span["to"]}, "from"), (span | {"to": "2026-03-09"}, "to"),
        (span | {"points": "9"}, "points"), (span | {"from": "2020-01-01T00:00:00Z"}, "from"),
    ):  # fmt: skip
        answer = client.get("/api/v1/boxes/BX-C/temperatures", query_string=wrong)
        assert (answer.status_code, answer.get_json()["field"]) == (400, field), wrong
    assert client.get("/api/v1/boxes/NONE/temperatures", query_string=span).status_code == 404
    login(client, "manager2")
    assert client.get("/api/v1/boxes/BX-C/temperatures", query_string=span).status_code == 404
