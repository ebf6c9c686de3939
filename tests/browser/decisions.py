"""What the pages of decisions show: a signed assessment that late readings changed, routes, messages, own limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import (
    Alert,
    AlertRoute,
    AssessedTube,
    Assessment,
    Channel,
    Delivery,
    DeliveryAttempt,
    Specimen,
)
from logistics.services import alerts, network, stability_rules
from telemetry.models import ExcursionRow
from tests import factories as f


def build(session: Session, now: datetime) -> dict[str, Any]:
    """Gives what stands in paths."""
    manager = f.user(session, "manager")
    scope = network.scope_of_user(session, manager)
    limit = {
        "site_code": f.COUNTY, "stage": "unseparated", "temp_min_c": 2.0, "temp_max_c": 8.0, "max_hours": 36.0,
        "reason": "2026-17", "valid_on": (now + timedelta(days=3)).date(),
    }  # fmt: skip
    stability_rules.override(session, "CBC", limit, by="manager", scope=scope, now=now)
    _messages(session, now)
    one = _assessment(session, now)
    session.commit()
    return {"assessment": one.id}


def _assessment(session: Session, now: datetime) -> Assessment:
    excursion = session.scalars(select(ExcursionRow).order_by(ExcursionRow.id)).first()
    assert excursion is not None
    tubes = session.scalars(select(Specimen).where(Specimen.accession.in_(["2611220047", "2611220048"]))).all()
    row = Assessment(
        at=now, username="manager", site_code=f.COUNTY, box_code=excursion.box_code, start_at=excursion.start_at,
        end_at=excursion.end_at, excursion_ids=[excursion.id], side="upper", extreme_c=11.0, minutes=30.0,
        comment="OK 2026-03-09", look_again="extreme", look_again_at=now,
        tubes=[
            AssessedTube(
                specimen_id=tube.id, accession=tube.accession, disposition="note", act_id="x", status="use_by",
                test_code="CBC", used_share=0.04,
                rules=[{"low_c": 2.0, "high_c": 8.0, "hours": 48.0, "source": "https://example.org", "stage": ""}],
            )
            for tube in tubes
        ],
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _messages(session: Session, now: datetime) -> None:
    channel = Channel(name="A-1", kind="wecom", site_code=f.COUNTY, config={"key": "k"}, kinds=[])
    session.add(channel)
    session.flush()
    session.add(
        AlertRoute(
            site_code=f.COUNTY, channel_id=channel.id, kinds=["excursion", "silence", "at_risk"], weekdays=[1, 2, 3],
            from_min=480, until_min=1200,
        )
    )  # fmt: skip
    alert = session.scalars(select(Alert).order_by(Alert.id)).first()
    assert alert is not None
    rows = [
        Delivery(alert_id=alert.id, channel_id=channel.id, dedup_id=f"1:{n}", title="", text="", state=state,
                 next_try_at=now, attempts=1, error="")
        for n, state in enumerate(("sent", "failed", "waiting"))
    ]  # fmt: skip
    session.add_all(rows)
    session.flush()
    for row, outcome in zip(rows, ("sent", "channel_host_refused", "channel_robot_refused"), strict=True):
        session.add(
            DeliveryAttempt(
                delivery_id=row.id, number=1, begun_at=now, ended_at=now, outcome=outcome, detail="10.0.0.7"
            )
        )
    put_off = alerts.raise_alert(
        session, kind="battery", severity="info", site_code=f.COUNTY, incident_key="battery:A",
        params={"device": "LG-1", "battery_pct": 12}, occurred_at=now, now=now,
    )  # fmt: skip
    scope = network.scope_of_user(session, f.user(session, "manager"))
    alerts.snooze(session, put_off.id, minutes=60, word="OK", username="manager", scope=scope, now=now)
