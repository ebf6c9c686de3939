"""Commands about what an installation holds: init, seed, rebuild."""

from __future__ import annotations

import secrets
import sys

import click

from web.cli import settings


@click.command()
@click.option("--admin", "username", default="admin", show_default=True, help="User name of the administrator.")
@click.option("--no-catalogue", is_flag=True, help="Leave out the starting test catalogue.")
def init(username: str, no_catalogue: bool) -> None:
    """Make an empty installation with one administrator, whose random password is printed once."""
    from sqlalchemy import select

    from logistics.db import transaction
    from logistics.integrity.edge import make_key
    from logistics.models import User
    from logistics.services import seed as seeding
    from web.app import create_app
    from web.auth import set_password
    from web.migrations import upgrade_tables

    found = settings()
    app = create_app(found)
    upgrade_tables(app)
    password = secrets.token_urlsafe(12)
    with app.app_context(), transaction() as session:
        if session.scalars(select(User.id)).first() is not None:
            raise click.ClickException("This installation has users already; nothing was changed.")
        user = User(username=username, role="administrator", must_change_password=True, name_zh="系统管理员")
        set_password(user, password)
        session.add(user)
        seeding.reasons(session)
        if not no_catalogue:
            seeding.tests(session)
    with app.app_context():
        make_key(found.signing_key_file)
    click.echo(f"管理员 Administrator: {username}\n密码 Password (shown once): {password}")


@click.command()
def seed() -> None:
    """Fill an empty installation with the simulated Xianning network (only with LABRELAY_DEMO=1)."""
    from logistics.db import transaction
    from logistics.integrity.edge import make_key
    from web.app import create_app
    from web.demo.network import seed_demo
    from web.migrations import upgrade_tables

    found = settings()
    if not found.demo:
        raise click.ClickException("The simulated network has public passwords. Set LABRELAY_DEMO=1 if you mean it.")
    app = create_app(found)
    upgrade_tables(app)
    with app.app_context(), transaction() as session:
        done = seed_demo(session)
    with app.app_context():
        make_key(found.signing_key_file)
    click.echo("Seeded." if done else "There are sites already; nothing was changed.")


@click.command()
@click.option("--check", is_flag=True, help="Only compare; exit 1 when something differs.")
def rebuild(check: bool) -> None:
    """Replay the custody log into every projection, or compare them."""
    from logistics.db import transaction
    from logistics.services import rebuild as replaying
    from web.app import create_app

    with create_app(settings()).app_context(), transaction() as session:
        found = replaying.differences(session)
        for line in found:
            click.echo(line)
        if not check:
            replaying.apply(session)
    click.echo(f"{len(found)} differences" + ("" if check or not found else ", mended"))
    sys.exit(1 if check and found else 0)
