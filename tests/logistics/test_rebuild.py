"""``labrelay rebuild``: every table of projections comes back from the log, whatever was done to it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.db import Base
from logistics.models import Act
from logistics.services import rebuild
from logistics.services.acts import HANDLERS
from tests import every_act
from tests.tamper import unbound

pytestmark = pytest.mark.both_databases

PROJECTIONS = {
    "specimen", "specimen_test", "consignment", "consignment_line", "load_item", "load_item_line", "handover",
    "handover_half", "nonconformity", "seal_use",
}  # fmt: skip
"""Emptied and made again. Of ``box``, which is a thing that is owned, three columns are a projection."""
SOURCES = {
    "custody_event", "act", "manifest_version", "custody_digest", "custody_digest_leaf", "signing_key",  # the record
    "custody_lane",  # how far each lane of it is filled
    "lab_order", "blind_key", "attachment",  # what is behind a tube, and never in the log
    "site", "user_account", "api_token", "courier", "vehicle", "box", "contract", "contract_test", "setting",
    "device", "device_binding", "device_key",
    "test", "test_site", "stability_rule", "reason",  # the network and its catalogue
    "label_batch", "label_number", "label_stock", "print_setting", "print_entry",  # numbers and prints
    "alert", "alert_note", "alert_ladder", "alert_route", "channel", "delivery", "delivery_attempt", "audit_entry",
    "counter", "job", "prepared_file", "saved_filter", "default_filter",
    "handover_offer", "waiting_act",  # what is under way
    "pickup", "plan", "plan_version", "stop", "courier_position", "reading", "dead_letter", "quarantined_reading",
    "excursion", "excursion_change", "probe_state", "reading_hour", "ingest_heartbeat",  # planning and measuring
    "device_type", "device_topic", "calibration", "logger_file", "file_mapping", "profile_version", "box_forecast",
    "specimen_clock", "stability_version", "assessment", "assessed_tube",  # and what follows from it
}  # fmt: skip
SURROGATE = {"nonconformity": {"id"}}  # columns that mean nothing outside of the table


@pytest.fixture
def world(session: Session) -> Session:
    every_act.build(session)
    return session


def picture(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Every row of every projection, whole."""
    session.commit()
    found = {}
    for name in sorted(PROJECTIONS | {"box"}):
        table = Base.metadata.tables[name]
        columns = [column for column in table.columns if column.name not in SURROGATE.get(name, ())]
        rows = [dict(row._mapping) for row in session.execute(select(*columns))]
        found[name] = sorted(rows, key=repr)
    return found


def empty(session: Session) -> None:
    """Every table of projections, and what boxes say of custody."""
    with unbound(session):
        for name in sorted(PROJECTIONS):
            session.execute(text(f"DELETE FROM {name}"))
        session.execute(text("UPDATE box SET location_code = NULL, holder = NULL, consignment_number = 'CN'"))
    session.expunge_all()


def test_every_table_is_a_source_or_a_projection() -> None:
    """A new table must say which it is; one that is a projection must come back from the log."""
    assert set(Base.metadata.tables) == PROJECTIONS | SOURCES
    assert {table.name for table in Base.metadata.sorted_tables} >= PROJECTIONS


def test_the_world_did_every_kind_of_act(world: Session) -> None:
    """So that nothing below holds only for what was never done."""
    assert set(HANDLERS) == set(world.scalars(select(Act.type).where(Act.status == "done")))
    assert rebuild.differences(world) == []


def test_projections_that_are_gone_come_back_equal(world: Session) -> None:
    """All of them emptied; every column of every row is what it was."""
    before = picture(world)
    assert all(before[name] for name in PROJECTIONS), [name for name in PROJECTIONS if not before[name]]
    empty(world)
    rebuild.apply(world)
    after = picture(world)
    for name, rows in before.items():
        if name == "box":  # one that no consignment ever used is where it was put: only its owner knows
            used = {row["code"] for row in after[name] if row["consignment_number"] != "CN"}
            assert [row for row in after[name] if row["code"] in used] == [row for row in rows if row["code"] in used]
            continue
        assert after[name] == rows, name
    assert rebuild.differences(world) == []
