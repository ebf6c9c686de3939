"""``labrelay import``: a file from a laboratory system, shown first, then taken over as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import click
from flask_babel import force_locale, gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, set_reading, transaction
from logistics.domain.access import ADMINISTRATOR, Scope
from logistics.errors import LabrelayError
from logistics.imports import Kind, RowError, Table, read_table
from logistics.models import User
from logistics.services import importing, network
from logistics.services.import_checked import Action, Checked
from web.app import create_app
from web.auth import set_password
from web.cli import settings
from web.i18n import LOCALES
from web.messages import sentence, sentence_of

SHOWN_CHANGES = 10
PASSWORD_BYTES = 9


@click.command("import")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--map", "pairs", multiple=True, metavar="COLUMN=FIELD", help="Read a column as this field (repeatable).")
@click.option("--encoding", help="Of a CSV file; found by itself when left out.")
@click.option("--as", "username", help="Who imports (orders: a collector or receiver of the sending sites).")
@click.option("--site", "default_site", help="Sending site, for orders that name none.")
@click.option("--passwords", type=click.Path(dir_okay=False, path_type=Path), help="Users: write first passwords here.")
@click.option("--lang", type=click.Choice(list(LOCALES)), default="zh_CN", show_default=True)
@click.option("--yes", is_flag=True, help="Import without asking.")
def import_(
    kind: str,
    file: Path,
    pairs: tuple[str, ...],
    encoding: str | None,
    username: str | None,
    default_site: str | None,
    passwords: Path | None,
    lang: str,
    yes: bool,
) -> None:
    """Import sites, tests, users or orders from CSV or xlsx.

    Shows what the file would change and every bad row, then asks. Nothing is written while a row is bad.
    """
    app = create_app(settings())
    with app.app_context(), force_locale(lang):
        try:
            table = read_table(file.read_bytes(), file.name, encoding=encoding)
            _run(Kind(kind), table, _mapping(pairs), username, default_site, passwords, yes)
        except LabrelayError as error:
            raise click.ClickException(_sentence(error)) from None


def _sentence(error: LabrelayError) -> str:
    """The sentence; for a row that custody refused, with the sentence of that refusal inside."""
    if error.code != "import_row_refused":
        return str(sentence_of(error))
    facts = error.params.get("facts")
    reason = sentence(str(error.params["reason"]), facts if isinstance(facts, dict) else {})
    return str(sentence(error.code, {**error.params, "reason": reason}))


def _run(
    kind: Kind,
    table: Table,
    mapping: dict[str, str],
    username: str | None,
    default_site: str | None,
    passwords: Path | None,
    yes: bool,
) -> None:
    set_reading(True)
    try:
        session: Session = db.session()
        scope = network.scope_of_user(session, _actor(session, kind, username))
        checked = _check(session, kind, table, mapping, scope, default_site)
    finally:
        db.session.rollback()
        set_reading(False)
    _show(checked)
    if checked.errors:
        raise click.exceptions.Exit(1)
    if not checked.count(Action.CREATE) + checked.count(Action.CHANGE):
        click.echo(gettext("Nothing to do: everything in the file is here already."))
        return
    if not yes:
        click.confirm(gettext("Import this?"), abort=True)
    with transaction() as session:  # checked again: something may have changed since it was shown
        actor = _actor(session, kind, username)
        scope = network.scope_of_user(session, actor)
        checked = _check(session, kind, table, mapping, scope, default_site)
        result = importing.apply(session, checked, actor=actor, scope=scope, now=clock.now())
        if kind is Kind.USERS and passwords and result.created:
            _first_passwords(session, result.created, passwords)
    click.echo(
        gettext(
            "Done: %(created)s new, %(changed)s changed, %(unchanged)s left as they were.",
            created=len(result.created),
            changed=len(result.changed),
            unchanged=result.unchanged,
        )
    )


def _check(
    session: Session, kind: Kind, table: Table, mapping: dict[str, str], scope: Scope, default_site: str | None
) -> Checked:
    return importing.preview(session, kind, table, mapping, scope=scope, now=clock.now(), default_site=default_site)


def _actor(session: Session, kind: Kind, username: str | None) -> User:
    """Who imports: as told; master data otherwise by the first administrator (whoever runs this owns the machine)."""
    query = select(User).where(User.active)
    if username is None and kind is not Kind.ORDERS:
        query = query.where(User.role == ADMINISTRATOR).order_by(User.id)
    else:
        query = query.where(User.username == (username or ""))
    actor = session.scalars(query.limit(1)).first()
    if actor is None:
        raise click.UsageError(gettext("Say who imports with --as USERNAME; there is no such active user."))
    return actor


def _mapping(pairs: Iterable[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        heading, equals, field = pair.rpartition("=")
        if not equals or not heading:
            raise click.UsageError(gettext("--map takes COLUMN=FIELD, not %(pair)s.", pair=pair))
        mapping[heading] = field.strip()
    return mapping


def _show(checked: Checked) -> None:
    parsed = checked.parsed
    click.echo(gettext("Columns:"))
    for heading, field in parsed.mapped.items():
        click.echo(f"  {heading} → {field}")
    if parsed.unmapped:
        click.echo(gettext("Not used: %(columns)s", columns="、".join(parsed.unmapped)))
    if parsed.personal:
        click.echo(gettext("Left out, personal data: %(columns)s", columns="、".join(parsed.personal)))
    click.echo(
        gettext(
            "%(rows)s rows: %(create)s new, %(change)s changed, %(unchanged)s unchanged, %(duplicates)s repeated, "
            "%(errors)s errors.",
            rows=parsed.read_rows,
            **checked.counts,
        )
    )
    listed = [change for change in checked.changes if change.action is not Action.UNCHANGED]
    signs = {Action.CREATE: "+", Action.CHANGE: "~"}
    for change in listed[:SHOWN_CHANGES]:
        click.echo(f"  {signs[change.action]} {change.key}")
    if len(listed) > SHOWN_CHANGES:
        click.echo(gettext("  … and %(count)s more", count=len(listed) - SHOWN_CHANGES))
    for error in checked.errors:
        click.echo(_in_words(error), err=True)


def _in_words(error: RowError) -> str:
    said = sentence(error.code, error.facts)
    place = {"line": error.line, "column": error.column, "said": said}
    if error.column:
        return str(gettext("Line %(line)s, column %(column)s: %(said)s", **place))
    return str(gettext("Line %(line)s: %(said)s", **place))


def _first_passwords(session: Session, usernames: Iterable[str], file: Path) -> None:
    """A random first password each, written to a new file before the commit; to be changed at the first login."""
    try:
        handle = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise click.UsageError(
            gettext("%(file)s cannot be made: %(why)s", file=str(file), why=error.strerror)
        ) from None
    with handle:
        for name in usernames:
            user = session.scalars(select(User).where(User.username == name)).one()
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            set_password(user, password)
            handle.write(f"{name},{password}\n")
