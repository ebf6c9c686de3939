"""``labrelay network``: which laboratory should serve which township, and with how many rounds a day."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from web.cli import settings

if TYPE_CHECKING:
    from logistics.queries.network_design import Known
    from routing.network import Design


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0.0, min_open=True), default=20.0, show_default=True)
@click.option(
    "--boxes", type=click.FloatRange(min=0.0), default=1.0, show_default=True, help="A day, of sites without history."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def network(seconds: float, boxes: float, as_json: bool) -> None:
    """Compare the network as it is with the cheapest one, by what was sent in the last four weeks.

    The cost of rounds is estimated, not planned (docs/operations.md, 'Planning from the command line'); nothing is
    changed.
    """
    from logistics import clock
    from logistics.db import db
    from logistics.queries import network_design
    from routing.network import Level, design
    from web.app import create_app

    with create_app(settings()).app_context():
        known = network_design.known(db.session(), now=clock.now(), assumed_boxes=boxes)
    levels = {place.level for place in known.places}
    if not {Level.TOWNSHIP, Level.CITY} <= levels:
        raise click.ClickException("A city centre and at least one township with known positions are needed.")
    found = design(known.places, known.travel, seconds=seconds)
    designs = {"best": found.best, "same laboratories": found.same_hubs, "today": found.today}
    click.echo(_as_json(known, designs) if as_json else "\n".join(_lines(known, designs)))


def _as_json(known: Known, designs: dict[str, Design]) -> str:
    from msgspec import to_builtins

    answer: dict[str, Any] = {
        "days": known.days,
        "assumed": known.assumed,
        "unplaced": known.unplaced,
        "designs": {name: to_builtins(one) for name, one in designs.items()},
    }
    return json.dumps(answer, ensure_ascii=False, indent=1)


def _lines(known: Known, designs: dict[str, Design]) -> list[str]:
    lines = [f"boxes counted over {known.days} days; assumed for {len(known.assumed)} sites without history"]
    if known.unplaced:
        lines.append(f"left out, their place is not known: {', '.join(known.unplaced)}")
    for name, one in designs.items():
        best = "" if one.bound is None else (" (proven)" if one.proven else f", no less than {one.bound:.0f}")
        lines.append(
            f"{name:18} cost a day {one.cost:.0f}{best}, {one.km_per_day:.0f} km, {one.hours_per_day:.1f} h, "
            f"{one.couriers} couriers, {one.mean_turnaround_s / 3600:.1f} h from tube to result bench, "
            f"{len(one.unserved)} unserved"
        )
    moved = [line for line in designs["best"].lines if line.changed]
    lines.append("")
    lines.append(f"townships that another laboratory should serve: {len(moved)}")
    for line in moved:
        zh, en = known.names[line.site_id]
        lines.append(f"  {line.site_id} {zh} {en}: {line.today} -> {line.hub or 'nobody'}, {line.rounds} rounds a day")
    lines.append("laboratories in the best network:")
    for hub in designs["best"].hubs:
        zh, en = known.names[hub.site_id]
        lines.append(
            f"  {hub.site_id} {zh} {en}: {hub.townships} townships, {hub.rounds} rounds, {hub.trunk_runs} trunk runs, "
            f"{hub.couriers} couriers, {hub.km_per_day:.0f} km a day"
        )
    return lines
