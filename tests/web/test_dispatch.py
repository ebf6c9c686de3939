"""Plans and the live board over the API and as pages: who may, what they say, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from logistics import tasks
from logistics.clock import FixedClock
from logistics.db import db, transaction
from logistics.models import Alert, Courier, CourierPosition, Job, Pickup, Plan, Stop, User
from logistics.services import pickups, positions
from tests import factories
from tests.factories import CITY, COUNTY, OTHER_COUNTY, START, TOWN

DAY = "2026-03-09"
Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.fixture
def world(app: Flask) -> None:
    """The small world and a dispatcher of the city. No context stays open: requests must make their own ``g``."""
    with app.app_context():
        session = db.session()
        factories.world(session)
        session.add(User(username="citydispatcher", role="dispatcher", site_code=CITY, name_zh="市调度"))
        session.commit()


def order(client: FlaskClient, scope: str = COUNTY, **more: Any) -> Any:
    return client.post("/api/v1/plans", json={"day": DAY, "scope": scope, "seconds": 1, **more})


def work(app: Flask) -> None:
    """What the worker does with every job that waits."""
    with app.app_context():
        with transaction() as session:
            waiting = list(session.scalars(select(Job.id).where(Job.state == "waiting")))
        for job_id in waiting:
            tasks.run_job.run(job_id)


def published(app: Flask, client: FlaskClient, scope: str = COUNTY) -> int:
    plan_id = int(order(client, scope).json["id"])
    work(app)
    answer = client.post(f"/api/v1/plans/{plan_id}/publish")
    assert answer.status_code == 200, answer.json
    return plan_id


def test_a_plan_is_ordered_followed_and_published(app: Flask, world: None, client: FlaskClient, login: Login) -> None:
    """The whole way over the API; the plan tells routes, totals and job."""
    login(client, "dispatcher")
    answer = order(client)
    assert answer.status_code == 201
    plan_id = answer.json["id"]
    waiting = client.get(f"/api/v1/plans/{plan_id}/progress").json
    assert (waiting["state"], waiting["job"]["state"]) == ("planning", "waiting")
    assert client.get(f"/dispatch/plans/{plan_id}").status_code == 200
    work(app)
    found = client.get(f"/api/v1/plans/{plan_id}").json
    assert found["state"] == "ready"
    assert found["totals"]["served"] == found["totals"]["requests"] == 1
    assert found["totals"]["on_time_pct"] == 100.0
    assert [stop["kind"] for stop in found["routes"][0]["stops"]] == ["pickup", "delivery"]
    assert client.post(f"/api/v1/plans/{plan_id}/publish").status_code == 200
    assert client.post(f"/api/v1/plans/{plan_id}/publish").json["code"] == "plan_not_ready"
    listed = client.get("/api/v1/plans").json["plans"]
    assert [(one["id"], one["state"]) for one in listed] == [(plan_id, "published")]


def test_a_county_dispatcher_sees_and_plans_his_county_only(
    app: Flask, world: None, client: FlaskClient, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """Other scopes answer as if they did not exist, for reading and for every act."""
    login(client, "dispatcher")
    assert order(client, OTHER_COUNTY).status_code == 404
    assert order(client, CITY).status_code == 404
    city = login(new_client(), "citydispatcher")
    plan_id = order(city, OTHER_COUNTY).json["id"]
    for method, path in (
        ("GET", ""), ("GET", "/progress"), ("POST", "/stop"), ("POST", "/publish")
    ):  # fmt: skip
        assert client.open(f"/api/v1/plans/{plan_id}{path}", method=method).status_code == 404
    assert client.get(f"/dispatch/plans/{plan_id}").status_code == 404
    assert client.get("/api/v1/plans").json["plans"] == []
    board = client.get("/api/v1/board").json
    assert {line["username"] for line in board["couriers"]} == {"courier"}


def test_the_counties_of_a_city_are_ordered_together(
    app: Flask, world: None, client: FlaskClient, login: Login
) -> None:
    """One order, a plan for each county, a group whose page says how many are under way; a county alone gives its own;
    counties where nobody drives are left out, and with none of them left it is said at the field."""
    login(client, "citydispatcher")
    answer = order(client, CITY, each=True)
    assert answer.status_code == 201
    group = answer.json["group"]
    listed = client.get(f"/api/v1/plans?group={group}").json["plans"]
    assert {plan["scope"]["code"] for plan in listed} == {COUNTY, OTHER_COUNTY}
    assert {plan["id"] for plan in listed} == {plan["id"] for plan in answer.json["plans"]}
    assert "2 plans are under way" in client.get(answer.json["url"] + "&lang=en").get_data(as_text=True)
    work(app)
    assert {plan["state"] for plan in client.get(f"/api/v1/plans?group={group}").json["plans"]} == {"ready"}
    assert "all are done" in client.get(answer.json["url"] + "&lang=en").get_data(as_text=True)
    assert "一并制定：全部完成" in client.get(answer.json["url"] + "&lang=zh_CN").get_data(as_text=True)
    assert client.get("/api/v1/plans?group=none").json["plans"] == []
    login(client, "dispatcher")
    assert [plan["id"] for plan in client.get(f"/api/v1/plans?group={group}").json["plans"]] != []
    assert len(order(client, COUNTY, each=True).json["plans"]) == 1
    assert order(client, OTHER_COUNTY, each=True).status_code == 404
    with app.app_context(), transaction() as session:
        session.execute(update(Courier).values(active=False))
    refused = order(client, COUNTY, each=True)
    assert (refused.status_code, refused.json["code"], refused.json["field"]) == (400, "plan_no_counties", "scope")


@pytest.mark.parametrize("username", ["nurse", "courier", "receiver"])
def test_other_roles_are_kept_out(world: None, client: FlaskClient, login: Login, username: str) -> None:
    """Collectors, couriers and receivers have no business with plans."""
    login(client, username)
    assert order(client).status_code == 403
    assert client.get("/api/v1/plans").status_code == 403
    assert client.get("/dispatch/board").status_code == 403


def test_managers_read_but_do_not_plan(world: None, client: FlaskClient, login: Login) -> None:
    """A manager sees board and plans and may change none."""
    login(client, "manager")
    assert client.get("/dispatch/board").status_code == 200
    assert client.get("/api/v1/board").status_code == 200
    assert order(client).status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"day": "9 March", "scope": COUNTY}, "plan_day_unreadable"),
        ({"day": DAY, "scope": COUNTY, "seconds": 100000}, "plan_seconds_out_of_range"),
        ({"day": DAY, "scope": TOWN}, "plan_scope_not_a_centre"),
        ({"scope": COUNTY}, "plan_body_malformed"),
    ],
)
def test_a_wrong_order_is_refused_in_words(
    world: None, client: FlaskClient, login: Login, body: dict[str, Any], code: str
) -> None:
    """400 with the code and a sentence that is not the code."""
    login(client, "dispatcher")
    answer = client.post("/api/v1/plans", json=body)
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert answer.json["sentence"] != code


def test_stopping_before_a_worker_began_takes_the_plan_back(world: None, client: FlaskClient, login: Login) -> None:
    """The plan says so, and cannot be stopped twice."""
    login(client, "dispatcher")
    plan_id = order(client).json["id"]
    assert client.post(f"/api/v1/plans/{plan_id}/stop").json["job_state"] == "cancelled"
    assert client.get(f"/api/v1/plans/{plan_id}").json["notice"] == "plan_cancelled"
    assert client.post(f"/api/v1/plans/{plan_id}/stop").json["code"] == "plan_not_running"


def test_what_is_left_out_is_explained_in_both_languages(
    app: Flask, world: None, client: FlaskClient, login: Login
) -> None:
    """The page names the site, the reason with courier and time, and a remedy, in Chinese and in English."""
    with app.app_context(), transaction() as session:
        pickup = pickups.urgent(session, TOWN, at=START, by="x", note="", within=timedelta(minutes=1))
        pickup.kind = "round"
        pickup.latest_at = START + timedelta(minutes=1)
    login(client, "dispatcher")
    plan_id = order(client).json["id"]
    work(app)
    left = client.get(f"/api/v1/plans/{plan_id}?lang=en").json["unserved"]
    assert "the nearest courier" in left[0]["sentence"]
    assert "Courier" in left[0]["sentence"]
    assert left[0]["remedies"][0]["sentence"].startswith("Fits ")
    chinese = client.get(f"/dispatch/plans/{plan_id}?lang=zh_CN").get_data(as_text=True)
    assert "TOWN站" in chinese
    assert "最近的转运员" in chinese


def test_the_board_tells_late_from_silent_from_fine(
    app: Flask, world: None, client: FlaskClient, login: Login, app_clock: FixedClock
) -> None:
    """A courier on duty and on time is fine; without positions silent; behind the plan late, and why."""
    login(client, "dispatcher")
    published(app, client)
    with app.app_context(), transaction() as session:
        first = session.scalars(select(Stop).order_by(Stop.position)).first()
        assert first is not None
        begin = first.arrive_at
        positions.set_duty(session, "courier", on=True, at=START)
    app_clock.set(min(begin, START + timedelta(minutes=5)))
    line = client.get("/api/v1/board").json["couriers"][0]
    assert (line["state"], line["why"]) == ("fine", "board_fine")
    app_clock.set(START + timedelta(minutes=20))
    if app_clock.now() < begin:
        assert client.get("/api/v1/board").json["couriers"][0]["state"] == "silent"
    app_clock.set(begin + timedelta(hours=2))
    line = client.get("/api/v1/board").json["couriers"][0]
    assert line["state"] == "late"
    assert line["late_min"] >= 10
    assert line["why"] == "board_late_silent"
    with app.app_context(), transaction() as session:
        here = {"lat": 29.73, "lon": 113.89, "accuracy_m": 5.0}
        session.add(CourierPosition(username="courier", at=app_clock.now(), **here))
    line = client.get("/api/v1/board").json["couriers"][0]
    assert line["why"] == "board_late_not_left"


def test_an_alarm_of_a_box_on_the_road_shows_on_the_board(
    app: Flask, world: None, client: FlaskClient, login: Login
) -> None:
    """An open excursion of a box that a courier carries."""
    with app.app_context():
        number = factories.fetched(db.session())
    with app.app_context(), transaction() as session:
        positions.set_duty(session, "courier", on=True, at=START)
        session.add(
            Alert(
                incident_key="excursion:BX-C:1", kind="excursion", severity="critical", site_code=COUNTY,
                box_code="BX-C", consignment_number=number, occurred_at=START, raised_at=START, updated_at=START,
            )
        )  # fmt: skip
    login(client, "dispatcher")
    line = client.get("/api/v1/board").json["couriers"][0]
    assert (line["state"], line["alarm"], line["boxes"][0]["box"]) == ("alarm", "BX-C", "BX-C")


def test_the_board_is_not_sent_again_while_nothing_moves(
    app: Flask, world: None, client: FlaskClient, login: Login
) -> None:
    """304 with the same ETag; an act wakes it."""
    login(client, "dispatcher")
    first = client.get("/api/v1/board")
    tag = first.headers["ETag"]
    again = client.get("/api/v1/board", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    with app.app_context():
        factories.collected(db.session())
    assert client.get("/api/v1/board", headers={"If-None-Match": tag}).status_code == 200


def test_an_urgent_call_is_offered_and_taken_in(app: Flask, world: None, client: FlaskClient, login: Login) -> None:
    """Offers change nothing; taking one publishes a new version with the call in it."""
    login(client, "dispatcher")
    plan_id = published(app, client)
    with app.app_context(), transaction() as session:
        call = pickups.urgent(session, TOWN, at=START, by="nurse", note="", within=timedelta(minutes=90)).id
    board = client.get("/api/v1/board").json
    assert board["counts"]["urgent"] == 1
    offers = client.post(f"/api/v1/pickups/{call}/offers").json["offers"]
    assert [offer["courier"] for offer in offers] == ["courier"]
    taken = client.post(f"/api/v1/pickups/{call}/insert", json={"courier": "courier"}).json
    assert taken["replaces"] == plan_id
    assert client.post(f"/api/v1/pickups/{call}/insert", json={}).json["code"] == "pickup_not_open"
    with app.app_context(), transaction() as session:
        assert session.get_one(Pickup, call).state == "planned"
        assert session.get_one(Plan, plan_id).state == "superseded"


def test_an_urgent_call_without_a_published_plan_says_what_to_do(
    app: Flask, world: None, client: FlaskClient, login: Login
) -> None:
    """Conflict with a sentence."""
    with app.app_context(), transaction() as session:
        call = pickups.urgent(session, TOWN, at=START, by="nurse", note="", within=timedelta(minutes=90)).id
    login(client, "dispatcher")
    answer = client.post(f"/api/v1/pickups/{call}/offers")
    assert (answer.status_code, answer.json["code"]) == (409, "no_published_plan")


@pytest.mark.parametrize("lang", ["zh_CN", "en"])
def test_every_page_opens_in_both_languages(
    app: Flask, world: None, client: FlaskClient, login: Login, lang: str
) -> None:
    """Board, list and plan render for a dispatcher."""
    login(client, "citydispatcher")
    plan_id = published(app, client, CITY)
    for path in ("/dispatch/board", "/dispatch/plans", f"/dispatch/plans/{plan_id}"):
        answer = client.get(f"{path}?lang={lang}")
        assert answer.status_code == 200, path


def edit(client: FlaskClient, plan_id: int, revision: int, **body: Any) -> Any:
    return client.post(f"/api/v1/plans/{plan_id}/edits", json={"revision": revision, **body})


def test_a_draft_is_edited_and_compared_over_the_api(
    app: Flask, world: None, client: FlaskClient, login: Login
) -> None:
    """Left out, seen by a second dispatcher's stale edit as a conflict, compared with another draft, undone."""
    login(client, "dispatcher")
    plan_id, other_id = (int(order(client).json["id"]) for _ in range(2))
    work(app)
    found = client.get(f"/api/v1/plans/{plan_id}").json
    request = found["routes"][0]["stops"][0]["picked"][0]["request"]
    effects = client.post(f"/api/v1/plans/{plan_id}/effects", json={"requests": [request], "revision": 0}).json
    assert [one["courier"] for one in effects["couriers"]] == ["courier"]
    assert effects["couriers"][0]["best"]["same"]
    answer = edit(client, plan_id, 0, action="leave_out", requests=[request])
    assert (answer.status_code, answer.json["revision"]) == (200, 1)
    stale = edit(client, plan_id, 0, action="undo")
    assert (stale.status_code, stale.json["code"]) == (409, "plan_changed_meanwhile")
    compared = client.get(f"/api/v1/plans/{other_id}/compare/{plan_id}").json["changes"]
    assert [(one["request"], one["a"]["courier"], one["b"]) for one in compared] == [(request, "courier", None)]
    page = client.get(f"/dispatch/compare?a={other_id}&b={plan_id}&lang=en").get_data(as_text=True)
    assert "What differs" in page
    assert client.get(f"/api/v1/plans/{plan_id}?lang=en").json["undo"] == "Site TOWN left out"
    assert edit(client, plan_id, 1, action="undo").json["version"] == 0
    changes = client.get(f"/api/v1/plans/{plan_id}/changes").json
    assert changes["replaces"] is None
    assert [len(one["new"]) for one in changes["couriers"]] == [1]
    assert edit(client, plan_id, 2, action="fly").json["code"] == "edit_unknown"
    assert edit(client, plan_id, 2, action="move", requests=["P999"], courier="courier").status_code == 404


def test_the_plan_page_says_which_trunk_each_box_makes(
    app: Flask, world: None, client: FlaskClient, login: Login
) -> None:
    """A township's box with a tube for the city: its run, what missing it costs; in both languages."""
    with app.app_context():
        session = db.session()
        factories.sealed(session)
        pickups.ready(session, TOWN, at=START, by="nurse")
        factories.find(session, "2611220047").destination_code = CITY
        session.commit()
    login(client, "citydispatcher")
    plan_id = int(order(client, CITY).json["id"])
    work(app)
    run = next(line for line in client.get(f"/api/v1/plans/{plan_id}").json["trunks"] if line["centre"] == COUNTY)
    assert len(run["runs"][0]["boxes"]) == 1
    chinese, english = (client.get(f"/dispatch/plans/{plan_id}?lang={lang}").text for lang in ("zh_CN", "en"))
    assert "1 个站点的箱子赶得上" in chinese
    assert "晚 24.0 小时到市中心" in chinese
    assert "1 box makes it" in english
    assert "24.0 h later in the city" in english
