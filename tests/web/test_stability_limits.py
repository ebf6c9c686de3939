"""Stability limits: own limits of a laboratory with reason and date of effect, kept by version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import AuditEntry, Specimen, SpecimenClock, StabilityRuleRow, StabilityVersion
from logistics.services.stability import RuleBook
from tests import factories as f
from tests.factories import COUNTY, OTHER_COUNTY, START

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]
RULE = {
    "site_code": COUNTY, "stage": "unseparated", "temp_min_c": "2", "temp_max_c": "8", "max_hours": "12",
    "reason": "own validation 2026-02, file 17", "valid_on": "2026-03-09",
}  # fmt: skip
DAY = timedelta(days=1)


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def post(client: FlaskClient, **more: str) -> Any:
    return client.post("/stability/CBC/rules?lang=en", data={**RULE, **more})


def hours(session: Session, tube: Specimen, at: Any, **more: Any) -> list[float]:
    return [rule.longest / timedelta(hours=1) for rule in RuleBook(session, at, **more).rules(tube)["CBC"]]


def test_an_own_limit_counts_from_its_day_and_older_versions_stay(
    world: Session, client: FlaskClient, login: Login
) -> None:
    """Catalogue until the day of effect, then the own limit; withdrawn, the catalogue again. Each version can still be
    read, and who changed what and why is listed."""
    tube = f.collected(world)
    world.commit()
    login(client, "manager")
    assert post(client, valid_on="2026-03-12").status_code == 302
    world.expire_all()
    begins = world.scalars(select(StabilityRuleRow.valid_from).where(StabilityRuleRow.site_code == COUNTY)).one()
    assert begins is not None
    assert begins.isoformat() == "2026-03-11T16:00:00+00:00"  # midnight in Xianning
    assert hours(world, tube, START) == [24.0, 48.0]
    assert hours(world, tube, START + 3 * DAY) == [12.0]
    world.rollback()
    assert post(client, max_hours="10", valid_on="2026-03-20").status_code == 302
    assert hours(world, tube, START + 3 * DAY) == [12.0]
    assert hours(world, tube, START + 12 * DAY) == [10.0]
    rule = world.scalars(
        select(StabilityRuleRow.id).where(StabilityRuleRow.reason != "", StabilityRuleRow.max_hours == 10)
    ).one()
    world.rollback()
    assert client.post(f"/stability/CBC/rules/{rule}/withdraw").status_code == 302
    assert client.post(f"/stability/CBC/rules/{rule}/withdraw").status_code == 409
    assert hours(world, tube, START + 12 * DAY) == [24.0, 48.0]
    assert hours(world, tube, START + 12 * DAY, version=2) == [10.0]
    assert hours(world, tube, START + 12 * DAY, version=0) == [24.0, 48.0]
    versions = world.scalars(select(StabilityVersion).order_by(StabilityVersion.number)).all()
    assert [(one.number, one.what, one.by) for one in versions] == [
        (1, "override", "manager"), (2, "override", "manager"), (3, "withdrawal", "manager"),
    ]  # fmt: skip
    audited = world.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert audited[-3:] == ["stability_overridden", "stability_overridden", "stability_withdrawn"]
    world.rollback()
    page = client.get("/stability/CBC?lang=en").get_data(as_text=True)
    for words in ("file 17", "withdrawn with version 3", "Version 2", "in force", "past"):
        assert words in page, words


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"reason": "no"}, "field-error"), ({"temp_max_c": "1"}, "field-error"), ({"max_hours": "0"}, "field-error"),
        ({"valid_on": "2026-03-08"}, "from today on at the earliest"), ({"valid_on": "yesterday"}, "field-error"),
        ({"valid_on": "2028-01-01"}, "within 366 days"), ({"site_code": OTHER_COUNTY}, "There is no site"),
        ({"site_code": f.TOWN}, "There is no site"), ({"max_hours": ""}, "field-error"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_limit_is_said_beside_its_field(
    world: Session, client: FlaskClient, login: Login, wrong: dict[str, str], code: str
) -> None:
    """Nothing is written, what was typed stays in the form."""
    world.commit()
    login(client, "manager")
    answer = post(client, **wrong)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert code in page
    assert "2026-02, file 17" in page or "reason" in wrong
    assert world.scalars(select(StabilityVersion)).all() == []


def test_the_clocks_of_tubes_with_the_test_are_worked_out_again(
    world: Session, client: FlaskClient, login: Login, app_clock: FixedClock
) -> None:
    """A change marks them; the use-by time follows in the next round. Rules of another laboratory do not matter."""
    from telemetry import tasks

    tube = f.collected(world)
    assert tube.use_by_at == START + timedelta(hours=48)
    app_clock.set(START + timedelta(hours=1))
    tasks.refresh_use_by.run()
    assert not world.get_one(SpecimenClock, tube.id, populate_existing=True).dirty
    world.rollback()
    post(login(client, "manager2"), site_code=OTHER_COUNTY)
    assert world.get_one(SpecimenClock, tube.id, populate_existing=True).dirty
    world.rollback()
    tasks.refresh_use_by.run()
    assert f.find(world, tube.accession).use_by_at == START + timedelta(hours=48)
    world.rollback()
    post(login(client, "manager"))
    tasks.refresh_use_by.run()
    assert f.find(world, tube.accession).use_by_at == START + timedelta(hours=12)
    assert world.get_one(SpecimenClock, tube.id, populate_existing=True).version == 2


def test_rules_of_another_stage_or_material_say_nothing(world: Session) -> None:
    """A tube of whole blood is not judged by what holds for serum, and the other way round."""
    tube = f.collected(world)
    assert hours(world, tube, START) == [24.0, 48.0]
    tube.stage = "separated"
    assert RuleBook(world, START).rules(tube)["CBC"] == []
    tube.stage, tube.specimen_type = "unseparated", "URN"
    assert RuleBook(world, START).rules(tube)["CBC"] == []
