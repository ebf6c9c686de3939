"""Commands that run the processes of an installation."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from web.cli import settings

if TYPE_CHECKING:
    from flask import Flask

    from web.settings import Settings


def _app(found: Settings) -> Flask:
    from web.app import create_app

    logging.basicConfig(level=found.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return create_app(found)


@click.command()
@click.option("--demo", is_flag=True, help="Seed the Xianning network and play a simulated day.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the web server (LABRELAY_PORT).")
def up(demo: bool, port: int | None) -> None:
    """Start everything on this machine and stop it together (Ctrl-C)."""
    from web import supervisor

    found = settings()
    if port and port != found.port:
        # The default public address follows the port; one that was given stays.
        own = f"http://{found.host}:{found.port}"
        public = f"http://{found.host}:{port}" if found.public_url == own else found.public_url
        found = replace(found, port=port, public_url=public)
    try:
        supervisor.up(found, demo=demo, ready=lambda url: _banner(url, found, demo=demo))
    except supervisor.CannotStart as problem:
        click.echo(str(problem), err=True)
        raise SystemExit(1) from None
    click.echo("已全部停止。 Everything is stopped.")


def _banner(url: str, found: Settings, *, demo: bool) -> None:
    lines = ["", f"Labrelay 已启动，请在浏览器打开：  {url}", f"Labrelay is running, open:            {url}"]
    if demo:
        from web.demo import logins

        lines += ["", "演示账号 Demo logins（用户名 user / 密码 password / 角色 role）:"]
        lines += [f"  {who.username:<18} {who.password}   {who.name_zh} {who.name_en}" for who in logins()]
    lines += ["", f"日志 Logs: {found.var_dir / 'log'}    停止 Stop: Ctrl-C", ""]
    click.echo("\n".join(lines))


@click.command()
def web() -> None:
    """Serve pages and API with gunicorn until stopped."""
    from web.serve import serve

    serve(settings())


@click.command()
@click.option("--beat", "with_beat", is_flag=True, help="Also send the periodic jobs (embedded installations).")
def worker(with_beat: bool) -> None:
    """Run background jobs until stopped."""
    from web.worker import run_worker

    found = settings()
    run_worker(found, _app(found), beat=with_beat)


@click.command()
def beat() -> None:
    """Send the periodic jobs until stopped; one per installation."""
    from web.worker import run_beat

    found = settings()
    run_beat(found, _app(found))


@click.command()
def ingest() -> None:
    """Store readings that arrive over MQTT until stopped; acknowledges a message after its commit."""
    from telemetry.mqtt import run
    from web.slots import still_held, take_slot

    found = settings()
    if not found.mqtt_url:
        raise click.ClickException("LABRELAY_MQTT_URL: not set; the ingest needs a broker")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app = _app(found)
    name = take_slot(found.database_url) if found.mqtt_share_group else "1"
    lost = run(
        app,
        found.mqtt_url,
        share_group=found.mqtt_share_group,
        name=name,
        ca_file=found.mqtt_ca_file,
        name_is_mine=lambda: still_held(found.database_url),
        stop=stop,
    )
    if lost:
        raise SystemExit(os.EX_TEMPFAIL)  # whoever watches this process starts it again, under another name


@click.group()
def db() -> None:
    """Create or upgrade the tables."""


def upgrade(app: Flask) -> None:
    """Bring the tables of ``app`` to the newest version; does nothing when they are there."""
    from web.migrations import upgrade_tables

    upgrade_tables(app)


@db.command("upgrade")
@click.option("--app-role", help="Then let this role work with them, see labrelay db app-role.")
def db_upgrade(app_role: str | None) -> None:
    """Bring the tables to the newest version; does nothing when they are there."""
    app = _app(settings())
    upgrade(app)
    click.echo("The tables are at their newest version.")
    if app_role:
        _grant(app, app_role)


@db.command("app-role")
@click.argument("name")
@click.option("--sql", "as_sql", is_flag=True, help="Only print the statements.")
def app_role(name: str, as_sql: bool) -> None:
    """Make NAME the PostgreSQL role of the application, which can add to the custody record and not change it.

    Its password comes from POSTGRES_APP_PASSWORD. Run as the owner of the tables after every upgrade.
    """
    from logistics.db import Base
    from web.database_role import CannotGrant, statements

    app = _app(settings())
    if not as_sql:
        _grant(app, name)
        return
    try:
        click.echo(";\n".join([f"CREATE ROLE {name} LOGIN", *statements(name, Base.metadata)]) + ";")
    except CannotGrant as problem:
        raise click.ClickException(str(problem)) from None


def _grant(app: Flask, name: str) -> None:
    from logistics.db import Base
    from logistics.db import db as database
    from web.database_role import CannotGrant, make_role

    try:
        with app.app_context(), database.engine.begin() as connection:
            make_role(connection, name, os.environ.get("POSTGRES_APP_PASSWORD"), Base.metadata)
    except CannotGrant as problem:
        raise click.ClickException(str(problem)) from None
    click.echo(f"{name} may work with the tables, and only add to the custody record.")


@db.command()
@click.option("--message", "-m", required=True)
def revision(message: str) -> None:
    """Write a migration from what the models say (developers)."""
    import flask_migrate

    found = settings()
    with _app(found).app_context():
        flask_migrate.migrate(message=message)
