"""What the courier's phone asks the server: the day, duty, positions, the order of stops, and a seal's hint."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.domain.seals import tail_check
from logistics.models import AuditEntry, Courier, CourierPosition, Plan, Stop
from logistics.services import positions
from logistics.services.positions import Fix
from tests import courier_day
from tests.courier_day import BOX_AMBIENT, BOX_COLD, BOX_FAR, FAR
from tests.factories import COUNTY, PIN, START, TOWN, act, done

Login = Callable[[FlaskClient, str], FlaskClient]
NINE = "2026-03-09T09:00:00+08:00"
HERE = {"lat": 29.65, "lon": 113.8, "accuracy_m": 12}


def day(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/api/v1/courier/today")
    assert answer.status_code == 200
    return dict(answer.get_json())


@pytest.mark.both_databases
def test_the_day_in_one_document(client: FlaskClient, session: Session, login: Login) -> None:
    """Stops in order, sealed boxes with their tubes, who signs where, phone numbers, travel times between all sites."""
    loaded = courier_day.build(session)
    today = day(login(client, "courier"))
    assert [stop["id"] for stop in today["stops"]] == loaded.stops
    assert today["plan"] == {"ids": [session.scalar(select(Plan.id))], "seen": False}
    boxes = {load["box"]: load for load in today["consignments"]}
    assert set(boxes) == {BOX_COLD, BOX_AMBIENT, BOX_FAR}
    assert [tube["accession"] for tube in boxes[BOX_COLD]["tubes"]] == loaded.tubes[BOX_COLD]
    assert boxes[BOX_COLD]["destination"] == COUNTY
    assert [person["username"] for person in today["signers"][TOWN]] == ["nurse"]
    assert [person["username"] for person in today["signers"][COUNTY]] == ["receiver"]
    assert today["sites"][TOWN]["phone"] == "0715-6555120"
    assert today["travel_s"][TOWN][FAR] > 0
    assert {"BROKEN", "LEAKED", "TUBE_MISSING"} <= {reason["code"] for reason in today["reasons"]}


def test_no_person_but_staff_in_it(client: FlaskClient, session: Session, login: Login) -> None:
    """No patient reference, no hash and no seal number leave for the phone."""
    courier_day.build(session)
    text = json.dumps(day(login(client, "courier")), ensure_ascii=False)
    assert "张" not in text
    assert "scrypt" not in text
    assert "patient" not in text
    assert not [seal for seal in courier_day.SEALS.values() if seal in text]


def test_other_county_sees_nothing_of_it(client: FlaskClient, session: Session, login: Login) -> None:
    """Another county's courier gets neither boxes nor stops of this one."""
    courier_day.build(session)
    today = day(login(client, "courier2"))
    assert today["stops"] == []
    assert today["consignments"] == []
    assert today["plan"] is None
    assert TOWN not in today["sites"]


def test_only_published_plans_of_today(client: FlaskClient, session: Session, login: Login) -> None:
    """A draft and yesterday's plan do not reach the phone; without a plan, ready boxes still do."""
    courier_day.build(session)
    plan = session.scalars(select(Plan)).one()
    for state, date in (("ready", plan.day), ("superseded", plan.day), ("published", "2026-03-08")):
        plan.state, plan.day = state, date
        session.commit()
        today = day(login(client, "courier"))
        assert today["stops"] == []
        assert len(today["consignments"]) == 3


def test_what_is_aboard_stays_in_it(client: FlaskClient, session: Session, login: Login) -> None:
    """A box that the courier holds is in his document with its holder, and gone after delivery."""
    loaded = courier_day.build(session)
    number = loaded.numbers[BOX_AMBIENT]
    signed = {"other": "nurse", "pin": PIN, "count": 3, "meaning": "pickup"}
    done(session, "courier", act("hand_over", {"consignment": number}, signed, site=TOWN))
    load = next(one for one in day(login(client, "courier"))["consignments"] if one["number"] == number)
    assert (load["holder"], load["state"]) == ("courier", "in_transit")
    done(session, "courier", act("arrive", {}, site=COUNTY))
    signed = {"other": "receiver", "pin": PIN, "count": 3, "meaning": "delivery"}
    done(session, "courier", act("hand_over", {"consignment": number}, signed, site=COUNTY))
    today = day(client)
    assert number not in {one["number"] for one in today["consignments"]}
    assert [one["meaning"] for one in today["handovers"]] == ["pickup", "delivery"]
    assert today["handovers"][1]["other"] == "receiver某"


def test_seen_marks_the_plan_once(client: FlaskClient, session: Session, login: Login, app_clock: FixedClock) -> None:
    """The dispatcher learns when the courier had the plan before him; looking again changes nothing."""
    courier_day.build(session)
    login(client, "courier")
    assert client.post("/api/v1/courier/seen", json={}).get_json() == {"seen": 6}
    app_clock.advance(timedelta(minutes=5))
    assert client.post("/api/v1/courier/seen", json={}).get_json() == {"seen": 0}
    session.expire_all()
    assert {stop.seen_at for stop in session.scalars(select(Stop))} == {START}


@pytest.mark.both_databases
def test_positions_on_duty_only(client: FlaskClient, session: Session, login: Login, app_clock: FixedClock) -> None:
    """Off duty nothing is taken; on duty each position once, none from before duty, none from the future."""
    courier_day.build(session, plan=False)
    login(client, "courier")
    fix = {"at": "2026-03-09T09:00:00+08:00", **HERE}
    refused = client.post("/api/v1/positions", json={"positions": [fix]})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "off_duty")
    told = client.post("/api/v1/courier/duty", json={"on": True, "at": "2026-03-09T08:55:00+08:00"}).get_json()
    assert told["on_duty_since"] == "2026-03-09T00:55:00+00:00"
    batch = [
        {**fix, "at": "2026-03-09T08:50:00+08:00"},
        fix,
        fix,
        {**fix, "at": "2026-03-09T08:58:00+08:00", "accuracy_m": 9000},
        {**fix, "at": "2026-03-09T11:00:00+08:00"},
    ]
    assert client.post("/api/v1/positions", json={"positions": batch}).get_json() == {"stored": 1, "ignored": 4}
    assert client.post("/api/v1/positions", json={"positions": [fix]}).get_json() == {"stored": 0, "ignored": 1}
    client.post("/api/v1/courier/duty", json={"on": False})
    session.expire_all()
    assert session.get_one(Courier, "courier").on_duty_since is None
    assert client.post("/api/v1/positions", json={"positions": [fix]}).status_code == 409
    assert session.scalar(select(func.count()).select_from(CourierPosition)) == 1
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-2:] == ["duty_on", "duty_off"]


def test_duty_told_late(client: FlaskClient, session: Session, login: Login) -> None:
    """Going on duty twice keeps the first time; an 'off' from before the present duty changes nothing."""
    courier_day.build(session, plan=False)
    login(client, "courier")
    client.post("/api/v1/courier/duty", json={"on": True, "at": "2026-03-09T08:00:00+08:00"})
    again = client.post("/api/v1/courier/duty", json={"on": True}).get_json()
    assert again["on_duty_since"] == "2026-03-09T00:00:00+00:00"
    late = client.post("/api/v1/courier/duty", json={"on": False, "at": "2026-03-09T07:00:00+08:00"}).get_json()
    assert late["on_duty_since"] == "2026-03-09T00:00:00+00:00"


@pytest.mark.parametrize(
    ("path", "sent", "code"),
    [
        ("/api/v1/positions", {"positions": [{"at": NINE, "lat": 95, "lon": 0}]}, "positions_malformed"),
        ("/api/v1/positions", {"positions": [{"at": "2026-03-09T09:00:00", "lat": 9, "lon": 0}]}, "time_without_zone"),
        ("/api/v1/positions", {"positions": "here"}, "positions_malformed"),
        ("/api/v1/positions", {"positions": [{"at": NINE, **HERE}] * 501}, "too_many_positions"),
        ("/api/v1/courier/duty", {"on": "yes"}, "courier_report_malformed"),
        ("/api/v1/courier/duty", {"on": True, "at": "2026-03-09T18:00:00+08:00"}, "act_in_future"),
        ("/api/v1/courier/order", {"stops": ["first"]}, "courier_report_malformed"),
    ],
)  # fmt: skip
def test_reports_that_cannot_be_read(
    client: FlaskClient, session: Session, login: Login, path: str, sent: dict[str, Any], code: str
) -> None:
    """Each is refused with a code and a sentence in words."""
    courier_day.build(session, plan=False)
    answer = login(client, "courier").post(path, json=sent)
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)
    assert answer.get_json()["sentence"] != code


def test_own_order_moves_the_expected_times(
    client: FlaskClient, session: Session, login: Login, new_client: Callable[[], FlaskClient]
) -> None:
    """The stops left get expected times in the courier's order and the dispatcher's board shows them; the plan's own
    times stay; it is in the audit log."""
    loaded = courier_day.build(session)
    login(client, "courier")
    _, town, far, empty, laboratory, end = loaded.stops
    planned = {stop.id: stop.arrive_at for stop in session.scalars(select(Stop))}
    session.rollback()
    order = [far, town, empty, laboratory, end]
    told = client.post("/api/v1/courier/order", json={"stops": order}).get_json()["stops"]
    assert [one["stop"] for one in told] == order
    assert all(a["eta_at"] < b["eta_at"] for a, b in pairwise(told))
    session.expire_all()
    assert {stop.id: stop.arrive_at for stop in session.scalars(select(Stop))} == planned
    assert session.scalars(select(AuditEntry).where(AuditEntry.action == "stops_reordered")).one().detail == {
        "stops": order
    }
    board = login(new_client(), "dispatcher").get("/api/v1/board").get_json()
    line = next(one for one in board["couriers"] if one["username"] == "courier")
    shown = {stop["id"]: stop["eta_at"] for stop in line["stops"]}
    assert line["own_order"] is True
    assert [shown[one["stop"]] for one in told] == sorted(shown[one["stop"]] for one in told)
    stale = client.post("/api/v1/courier/order", json={"stops": order[1:]})
    assert (stale.status_code, stale.get_json()["code"]) == (409, "stops_changed")


def test_forgetting_positions(session: Session) -> None:
    """Positions older than the limit go; newer ones stay."""
    courier_day.build(session, plan=False)
    positions.set_duty(session, "courier", on=True, at=START - timedelta(days=40))
    fixes = [Fix(START - timedelta(days=days), 29.6, 113.8) for days in (35, 29, 0)]
    assert positions.report(session, "courier", fixes, now=START) == (3, 0)
    assert positions.forget(session, older_than=timedelta(days=30), now=START) == 1
    found = positions.latest(session, "courier")
    assert found is not None
    assert found.at == START


def test_page_is_a_shell(client: FlaskClient, session: Session, login: Login) -> None:
    """The page itself holds nothing of the day, so that a kept copy never shows somebody else's."""
    courier_day.build(session)
    page = login(client, "courier").get("/courier").get_data(as_text=True)
    assert "js/pages/courier.js" in page
    assert BOX_COLD not in page
    assert "style=" not in page
    assert client.get("/courier", headers={}).status_code == 200


@given(st.text(alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=4), st.integers(0, 3))
def test_seal_hint_catches_slips(tail: str, place: int) -> None:
    """The hint has four bits, ignores case and the front of the seal, and differs for every slip in one digit."""
    hint = tail_check(f"SL0004{tail}")
    assert 0 <= hint < 16
    assert hint == tail_check(tail.lower())
    slips = [tail[:place] + other + tail[place + 1 :] for other in "0123456789" if other != tail[place]]
    assert sum(tail_check(slip) == hint for slip in slips) <= (0 if tail[place].isdigit() else 1)
