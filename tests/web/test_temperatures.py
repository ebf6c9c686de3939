"""The temperatures of a box or tube as its chart asks for them: who may, what stands in the answer, what is refused."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from telemetry import devices
from telemetry.ingest import Incoming, store_batch
from tests import factories as f
from tests import warm_box
from tests.factories import START

Login = Callable[[FlaskClient, str], FlaskClient]
MINUTE = timedelta(minutes=1)


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


@pytest.mark.both_databases
def test_a_tube_with_all_probes_of_its_box(
    session: Session, app_clock: FixedClock, client: FlaskClient, login: Login
) -> None:
    """The journey's chart: both probes of the tube's box, the excursion, its events; another county finds no tube."""
    warm_box.build(session)
    before = START - timedelta(hours=1)
    devices.bind(session, "LG-1", "BX-C", at=before, now=before, probe=2)
    rows = [{"at": (START + n * 5 * MINUTE).isoformat(), "probe": 2, "temp_c": 6.5} for n in range(12)]
    told = Incoming("labrelay/v1/LG-1/readings", json.dumps({"readings": rows}).encode())
    store_batch(session, [told], now=warm_box.ENDS)
    session.commit()
    app_clock.set(warm_box.ENDS)
    tube = f.find(session, warm_box.ACCESSIONS[0]).id
    session.rollback()
    login(client, "manager")
    page = html.unescape(client.get(f"/journey/{tube}").get_data(as_text=True))
    source = json.loads(page.partition('data-journey="')[2].partition('">')[0])["source"]
    assert source.startswith(f"/api/v1/specimens/{tube}/temperatures?")
    found = client.get(source).get_json()
    assert [(one["device"], one["probe"]) for one in found["series"]] == [("LG-1", 1), ("LG-1", 2)]
    assert [one["max"] for one in found["series"]] == [12.0, 6.5]
    assert found["band"] == {"low": 2.0, "high": 8.0}
    assert found["excursions"]
    assert found["events"][-1]["tone"] == "ok"  # received
    login(client, "manager2")
    assert client.get(source).status_code == 404
