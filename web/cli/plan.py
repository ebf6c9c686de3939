"""``labrelay plan``: plan one problem from a file. Needs neither the application nor the database."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("problem", type=_FILE)
@click.option("--seconds", type=click.FloatRange(min=0.0, min_open=True), default=10.0, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads of the search.")
@click.option("--out", type=_FILE, help="Where the plan goes instead of standard output.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--iterations", type=click.IntRange(min=1), help="End after so many rounds whatever the time.")
@click.option("--start", type=_FILE, help="Improve this plan.")
@click.option("--osrm", metavar="URL", help="Take road times from this OSRM server.")
@click.option("--matrix", type=_FILE, help="Take travel from this table, JSON or CSV.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_context
def plan(ctx: click.Context, /, **given: object) -> None:
    """Plan PROBLEM, a file as in docs/formats/problem.md, and write the plan.

    Ends with 2 for a file that cannot be used, naming the field, and with 1 for a plan that breaks a rule.
    """
    from routing.command import Asked, run

    ctx.exit(run(Asked(**given)))  # type: ignore[arg-type]
