"""What may not be kept longer is deleted."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock, tasks
from logistics.models import CourierPosition
from tests import factories as f


def test_positions_are_forgotten_after_the_setting(app: Flask, session: Session) -> None:
    """After thirty days, the default, nobody can tell any more where a courier was; yesterday's way is kept."""
    f.world(session)
    now = clock.now()
    for days in (1, 29, 31, 400):
        session.add(CourierPosition(username="courier", at=now - timedelta(days=days), lat=29.7, lon=113.9))
    session.commit()
    with app.app_context():
        tasks.forget.run()
    ages = sorted((now - at).days for at in session.scalars(select(CourierPosition.at)))
    assert ages == [1, 29]
