"""What recorded drives teach about the roads, and that the next plan is made with it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from logistics.db import db
from logistics.errors import Conflict
from logistics.models import AuditEntry, CourierPosition, Plan, Site, Stop
from logistics.services import planning_problem, roads
from routing.travel.calibration import Calibration, Road
from tests import factories as f
from tests.factories import CITY, COUNTY, OTHER_TOWN, START, TOWN
from web.cli import labrelay

pytestmark = pytest.mark.both_databases
SITES = (COUNTY, TOWN, OTHER_TOWN, CITY)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    session.execute(update(Site).where(Site.code == TOWN).values(terrain="hills"))
    session.commit()
    return session


def drive(session: Session, count: int, *, slow: float, track: bool = False) -> None:
    """``count`` days with a drive to each of the sites, each of which takes ``slow`` times what is assumed."""
    known = roads.known(session)
    for day in range(count):
        plan = Plan(day=f"2026-02-{day + 1:02d}", scope_code=CITY, state="published", created_at=START, created_by="x")
        session.add(plan)
        session.flush()
        at = START - timedelta(days=20 - day)
        for position, code in enumerate(SITES):
            site = session.get_one(Site, code)
            if position:
                before = session.get_one(Site, SITES[position - 1])
                pair = [place for one in (before, site) if (place := known.place(one)) is not None]
                seconds = int(known.estimate.matrix(pair).travel_s[0, 1] * slow)
                if track:
                    _track(session, before, site, at, seconds)
                at += timedelta(seconds=seconds)
            session.add(
                Stop(
                    plan_id=plan.id, courier="courier", position=position, site_code=code, kind="pickup", arrive_at=at,
                    depart_at=at + timedelta(minutes=5), state="done", actual_arrive_at=at,
                    actual_depart_at=at + timedelta(minutes=5),
                )
            )  # fmt: skip
            at += timedelta(minutes=5)
    session.commit()


def _track(session: Session, a: Site, b: Site, left: object, seconds: int) -> None:
    """Positions each two minutes on a straight line there."""
    steps = max(3, seconds // 120 + 1)
    for step in range(steps + 1):
        share = step / steps
        at = left + timedelta(seconds=round(seconds * share))  # type: ignore[operator]
        lat, lon = (x + (y - x) * share for x, y in ((a.lat or 0, b.lat or 0), (a.lon or 0, b.lon or 0)))
        session.merge(CourierPosition(username="courier", at=at, lat=lat, lon=lon))


def test_slow_roads_are_learned_and_the_next_plan_knows_them(world: Session) -> None:
    """Drives take half again as long as assumed: the error falls, travel grows by about that, and every later problem
    is made with it; forgotten, it is as before."""
    drive(world, 15, slow=1.5)
    before = roads.known(world)
    taught = roads.teach(world, now=START)
    assert taught.before is not None
    assert taught.after is not None
    assert taught.before.mape == pytest.approx(1 / 3, abs=0.02)
    assert taught.after.mape < 0.1  # 45 drives, held near what was assumed
    assert roads.known(world) == before  # nothing is changed by looking
    kept = roads.keep(world, taught, now=START)
    world.commit()
    world.expire_all()
    known = roads.known(world)
    assert known.calibration == kept
    assert (kept.version, kept.fitted_on) == (1, "2026-03-09")
    places = [place for code in (COUNTY, TOWN) if (place := known.place(world.get_one(Site, code)))]
    old = [place for code in (COUNTY, TOWN) if (place := before.place(world.get_one(Site, code)))]
    assert known.estimate.matrix(places).travel_s[0, 1] > 1.25 * before.estimate.matrix(old).travel_s[0, 1]
    [problem] = [planning_problem.draft(world, day="2026-03-10", scope_code=COUNTY, now=START).problem]
    assert {site.speed_kmh for site in problem.sites} <= {road.speed_kmh for road in kept.roads.values()}
    roads.forget(world)
    world.commit()
    assert roads.known(world) == before


def test_tracks_give_the_metres_and_few_drives_teach_nothing(world: Session) -> None:
    """A whole track gives what was driven; one with a hole does not; under thirty drives are refused with the count."""
    drive(world, 2, slow=1.2, track=True)
    found = roads.legs(world, since=START - timedelta(days=30))
    assert len(found) == 6
    assert all(leg.distance_m is not None and leg.distance_m > 1000 for leg in found)
    middle = world.scalars(select(CourierPosition).order_by(CourierPosition.at)).all()[4:8]
    for one in middle:
        world.delete(one)
    world.commit()
    again = roads.legs(world, since=START - timedelta(days=30))
    assert sum(leg.distance_m is None for leg in again) >= 1
    with pytest.raises(Conflict) as refused:
        roads.teach(world, now=START)
    assert (refused.value.code, refused.value.params["known"], refused.value.params["needed"]) == (
        "legs_too_few",
        6,
        30,
    )


def test_slow_hours_become_speed_bands(world: Session) -> None:
    """A slow morning is driven slower between seven and nine; what is within three per cent of the mean is not told."""
    factors = tuple({7: 1.25, 8: 1.25}.get(hour, 1.01) for hour in range(24))
    known = roads.Roads(Calibration({"mixed": Road(1.4, 40.0)}, 65.0, factors))
    assert [(band.start_s, band.factor) for band in known.speed_bands] == [(7 * 3600, 0.8), (9 * 3600, 1.0)]
    assert roads.Roads().speed_bands == ()
    roads.keep(world, known.calibration, now=START)
    draft = planning_problem.draft(world, day="2026-03-10", scope_code=COUNTY, now=START)
    assert draft.problem.speed_bands == known.speed_bands


@pytest.fixture
def shell(app: Flask, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The commands run in this process, on the application of the test."""
    monkeypatch.setattr("web.app.create_app", lambda _settings: app)
    for command in ("network", "travel"):
        monkeypatch.setattr(f"web.cli.{command}.settings", lambda: None)
    return CliRunner()


def run(shell: CliRunner, *words: str) -> Result:
    db.session.rollback()  # SQLite has one writer: the test's own session must not hold it
    return shell.invoke(labrelay, list(words))


def test_the_commands_show_keep_and_forget(world: Session, shell: CliRunner) -> None:
    """calibrate prints both errors and changes nothing; with --keep it does, on record; forget takes it back."""
    drive(world, 15, slow=1.5)
    seen = run(shell, "travel", "calibrate")
    assert seen.exit_code == 0, seen.output
    assert "45 drives" in seen.output
    assert "error before: mean 33" in seen.output
    assert "Nothing was changed" in seen.output
    kept = run(shell, "travel", "calibrate", "--keep", "--json")
    assert json.loads(kept.output)["version"] == 1
    world.expire_all()
    assert roads.known(world).calibration.version == 1
    assert run(shell, "travel", "forget").exit_code == 0
    world.expire_all()
    assert roads.known(world) == roads.Roads()
    entries = world.scalars(select(AuditEntry.subject).where(AuditEntry.action == "travel_calibrated")).all()
    assert entries == ["1", "0"]


def test_the_network_command_compares_designs(world: Session, shell: CliRunner) -> None:
    """Two townships: what was sent counts, the other is assumed; the best costs no more than today's."""
    f.delivered(world, ("T1", "T2"))
    world.commit()
    shown = run(shell, "network", "--seconds", "2")
    assert shown.exit_code == 0, shown.output
    assert "boxes counted over 1 days" in shown.output
    found = json.loads(run(shell, "network", "--seconds", "2", "--json").output)
    assert TOWN not in found["assumed"]
    assert OTHER_TOWN in found["assumed"]
    designs = found["designs"]
    assert designs["best"]["cost"] <= designs["same laboratories"]["cost"] <= designs["today"]["cost"] + 1e-6
    assert {line["site_id"] for line in designs["best"]["lines"]} == {TOWN, OTHER_TOWN}
