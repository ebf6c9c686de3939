"""``labrelay travel``: what recorded drives teach about the roads."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from web.cli import settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from routing.travel.calibration import Calibration, Errors


@click.group()
def travel() -> None:
    """Driving times: what is assumed, and what recorded drives have taught."""


@travel.command()
@click.option("--weeks", type=click.IntRange(1, 52), default=4, show_default=True, help="How far to look back.")
@click.option("--keep", is_flag=True, help="Plan with it from now on.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def calibrate(weeks: int, keep: bool, as_json: bool) -> None:
    """Fit detour, speed and hours of day to the drives that were recorded at both ends.

    The errors are those on drives that a fit had not seen. Without --keep nothing is changed.
    """
    from msgspec import to_builtins

    from logistics import clock
    from logistics.db import transaction
    from logistics.services import roads
    from web.app import create_app

    with create_app(settings()).app_context(), transaction() as session:
        before = roads.known(session).calibration
        taught = roads.teach(session, now=clock.now(), look_back=timedelta(weeks=weeks))
        if keep:
            taught = roads.keep(session, taught, now=clock.now())
            _note(session, taught.version, legs=taught.legs)
    click.echo(json.dumps(to_builtins(taught), indent=1) if as_json else "\n".join(_lines(before, taught, kept=keep)))


@travel.command()
def forget() -> None:
    """Go back to what was assumed before any drive was recorded."""
    from logistics.db import transaction
    from logistics.services import roads
    from web.app import create_app

    with create_app(settings()).app_context(), transaction() as session:
        roads.forget(session)
        _note(session, 0)
    click.echo("Plans are made with the assumed roads again.")


def _note(session: Session, version: int, **detail: object) -> None:
    from logistics.clock import wall_now
    from logistics.models import AuditEntry

    entry = AuditEntry(at=wall_now(), username="cli", action="travel_calibrated", subject=str(version), detail=detail)
    session.add(entry)


def _lines(before: Calibration, taught: Calibration, *, kept: bool) -> list[str]:
    lines = [f"{taught.legs} drives"]
    for name, road in sorted(taught.roads.items()):
        old = before.roads.get(name)
        was = f"   (was {old.detour_factor:.2f} and {old.speed_kmh:.1f})" if old else ""
        lines.append(
            f"  {name:8} detour {road.detour_factor:.2f}, {road.speed_kmh:.1f} km/h, {road.legs} ends of drives{was}"
        )
    lines.append(f"  long drives {taught.fast_kmh:.1f} km/h   (was {before.fast_kmh:.1f})")
    slow = [(factor, hour) for hour, factor in enumerate(taught.hour_factors) if abs(factor - 1) >= 0.03]
    if slow:
        lines.append("  hours: " + ", ".join(f"{hour}:00 {factor - 1:+.0%}" for factor, hour in slow))
    if taught.before and taught.after:
        lines += [f"error before: {_error(taught.before)}", f"error after:  {_error(taught.after)}"]
    lines.append("Kept: plans are made with it from now on." if kept else "Nothing was changed; --keep plans with it.")
    return lines


def _error(one: Errors) -> str:
    return f"mean {one.mape:.1%}, median {one.median:.1%}, on average {one.bias:+.1%}"
