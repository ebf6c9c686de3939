"""Alerts that time brings about: tubes at risk and expired, couriers off the plan, telemetry behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.models import Alert, Consignment, Plan, Stop
from logistics.services import tube_alerts
from telemetry import sweep
from telemetry.models import IngestHeartbeat
from tests import factories as f
from tests.factories import START, act, done

pytestmark = pytest.mark.both_databases
HOUR = timedelta(hours=1)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def standing(session: Session) -> dict[str, tuple[str, str]]:
    """Key → (state, severity)."""
    session.commit()
    found = session.scalars(select(Alert).execution_options(populate_existing=True))
    return {one.incident_key: (one.state, one.severity) for one in found}


def test_a_tube_that_will_not_keep_until_it_arrives(world: Session) -> None:
    """At risk while its use-by lies before the arrival, once; sooner by half an hour it is critical; replanned, it ends
    by itself."""
    number = f.fetched(world, ("A1",))
    load, tube = world.get_one(Consignment, number), f.find(world, "A1")
    load.expected_at, tube.use_by_at, tube.use_by_test = START + 3 * HOUR, START + 3 * HOUR - HOUR / 6, "CBC"
    world.commit()
    key = f"at_risk:{number}"
    for _ in range(2):
        tube_alerts.sweep(world, now=START + HOUR)
    assert standing(world) == {key: ("open", "warning")}
    alert = world.scalars(select(Alert)).one()
    assert (alert.specimen_ids, alert.site_code, alert.params["test"]) == ([tube.id], f.COUNTY, "CBC")
    assert [note.kind for note in alert.notes] == ["raised"]
    load.expected_at = START + 4 * HOUR
    tube_alerts.sweep(world, now=START + HOUR)
    assert standing(world)[key] == ("open", "critical")
    load.expected_at = START + 2 * HOUR
    tube_alerts.sweep(world, now=START + HOUR)
    assert standing(world)[key] == ("ended", "critical")


def test_tubes_that_expired_wait_for_a_decision(world: Session) -> None:
    """One alert for the consignment and one for the shelf; with the decision it is over."""
    number = f.delivered(world, ("A1",))
    f.collected(world, "A2")
    for accession in ("A1", "A2"):
        f.find(world, accession).use_by_at = START + HOUR
    world.commit()
    tube_alerts.sweep(world, now=START + HOUR)
    found = standing(world)
    assert found == {f"expired:{number}": ("open", "critical"), f"expired:{f.TOWN}:2026-03-09": ("open", "critical")}
    now = START + 2 * HOUR
    done(world, "receiver", act("reject", {"specimen": "A1"}, {"reason": "HAEMOLYSED"}, at=now))
    tube_alerts.sweep(world, now=now)
    assert standing(world)[f"expired:{number}"][0] == "ended"


def test_a_courier_off_the_plan(world: Session) -> None:
    """Half an hour late at a stop of a published plan: one alert a courier and day, over when he has been there."""
    plan = Plan(day="2026-03-09", scope_code=f.COUNTY, state="published", created_at=START, created_by="dispatcher")
    world.add(plan)
    world.flush()
    stop = Stop(
        plan_id=plan.id, courier="courier", position=1, site_code=f.TOWN, kind="pickup", arrive_at=START,
        depart_at=START + HOUR / 6,
    )  # fmt: skip
    world.add(stop)
    world.commit()
    tube_alerts.sweep(world, now=START + HOUR / 3)
    assert standing(world) == {}
    tube_alerts.sweep(world, now=START + HOUR)
    key = "off_plan:courier:2026-03-09"
    assert standing(world) == {key: ("open", "warning")}
    stop.state = "done"
    tube_alerts.sweep(world, now=START + HOUR)
    assert standing(world)[key][0] == "ended"


def test_telemetry_behind_is_told_to_the_top_once(world: Session) -> None:
    """A beat that stopped a minute ago; a shorter pause is no incident; with the next beat it is over."""
    beat = IngestHeartbeat(name="a", beat_at=wall_now() - timedelta(seconds=30), started_at=wall_now())
    world.add(beat)
    world.commit()
    assert sweep.ingest(world, now=START) == "down"
    assert standing(world) == {}
    beat.beat_at = wall_now() - timedelta(minutes=2)
    for _ in range(2):
        sweep.ingest(world, now=START)
    [alert] = world.scalars(select(Alert)).all()
    assert (alert.kind, alert.site_code, alert.state) == ("ingest_behind", f.CITY, "open")
    beat.beat_at, beat.connected = wall_now(), True
    sweep.ingest(world, now=START)
    world.commit()
    assert alert.state == "ended"
