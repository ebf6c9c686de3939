"""The simulated day from the command line."""

from __future__ import annotations

import logging
import signal
import threading

import click

from web.cli import settings


@click.group()
def demo() -> None:
    """Play a simulated day through the public doors."""


@demo.command()
def prepare() -> None:
    """Fill an empty database with the network and set the shared clock to the next morning."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    from logistics import clock
    from logistics.db import install_sqlite_hooks
    from web.demo.control import prepare_clock
    from web.demo.network import seed_demo

    found = settings()
    if not found.demo:
        raise click.ClickException("The simulated network has public passwords. Set LABRELAY_DEMO=1 if you mean it.")
    # Without the application: every start of the demonstration waits for this.
    engine = create_engine(found.database_url)
    install_sqlite_hooks(engine)
    with Session(engine) as session, session.begin():
        start = prepare_clock(session, found)
        clock.install(found.make_clock())
        seed_demo(session)
    engine.dispose()
    click.echo(start.isoformat())


@demo.command()
def play() -> None:
    """Play the day until stopped; pause, speed and a new day are on the page."""
    from web.demo.play import play as run

    found = settings()
    logging.basicConfig(level=found.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(found, stop)
