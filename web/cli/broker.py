"""Commands about the MQTT broker and the keys of loggers."""

from __future__ import annotations

from pathlib import Path

import click

from web.cli import settings
from web.cli.run import _app

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("broker-init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data", default="/mosquitto/data", show_default=True, help="Where the broker keeps its store.")
@click.option("--owner", type=int, help="User id that the broker runs as; it alone may read the files.")
@click.option("--ingest-password", envvar="LABRELAY_MQTT_PASSWORD", help="Random when it is not given.")
@click.option("--gateway-password", help="Random when it is not given.")
@click.option("--tls-cert", type=FILE, help="Certificate with its chain: listens on 8883 with TLS, too.")
@click.option("--tls-key", type=FILE, help="Its private key.")
def broker_init(
    folder: Path,
    data: str,
    owner: int | None,
    ingest_password: str | None,
    gateway_password: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Write mosquitto's configuration, accounts and ACL on the first start; later starts change the configuration."""
    from web.brokers import write_accounts

    if (tls_cert is None) != (tls_key is None):
        raise click.ClickException("--tls-cert and --tls-key belong together")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    made = write_accounts(folder, data, {"ingest": ingest_password, "gateway": gateway_password}, owner, tls)
    for account, password in made.items():
        shown = password if account != "ingest" or not ingest_password else "(as given)"
        click.echo(f"{account}: {shown}")


@click.command("broker-files")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def broker_files(folder: Path) -> None:
    """Write mosquitto's accounts and ACL anew from the register of loggers; the broker reads them at SIGHUP."""
    from logistics.db import db
    from telemetry import keys, routes
    from web.brokers import write_register

    with _app(settings()).app_context():
        found = keys.accounts(db.session())
        write_register(folder, found, routes.filters(db.session()))
        click.echo(f"{len(found)} accounts of loggers and gateways.")


@click.group("device-key")
def device_key() -> None:
    """Keys with which loggers and gateways send (MQTT password, HTTP bearer)."""


@device_key.command("issue")
@click.argument("account")
def issue(account: str) -> None:
    """Make a key for a logger or a gateway and print it, once; the key before is void."""
    _with_keys("issue", account)


@device_key.command("revoke")
@click.argument("account")
def revoke(account: str) -> None:
    """Let an account send nothing any more."""
    _with_keys("revoke", account)


def _with_keys(what: str, account: str) -> None:
    from logistics.clock import wall_now
    from logistics.db import transaction
    from logistics.errors import LabrelayError
    from telemetry import keys

    try:
        with _app(settings()).app_context(), transaction() as session:
            if what == "issue":
                click.echo(f"{account}: {keys.issue(session, account, now=wall_now())}")
            else:
                keys.revoke(session, account, now=wall_now())
                click.echo(f"{account}: revoked")
    except LabrelayError as error:
        raise click.ClickException(f"{error.code}: {account}") from None
