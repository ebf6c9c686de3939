"""``labrelay export custody``: a bundle that proves the custody of a consignment or of a tube anywhere."""

from __future__ import annotations

from pathlib import Path

import click

from web.cli import settings


@click.group()
def export() -> None:
    """Write a bundle that proves the custody of a consignment or tube."""


@export.command()
@click.option("--consignment", "number", help="Number of the consignment.")
@click.option("--specimen", "accession", help="Number on the tube.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
def custody(number: str | None, accession: str | None, out: Path | None) -> None:
    """Events, manifests, signatures, acts, daily digests with proofs and public keys of one consignment or tube.

    labrelay verify FILE checks it without a database.
    """
    from logistics import clock
    from logistics.integrity import bundle, edge, keys
    from web.app import create_app

    if (number is None) == (accession is None):
        raise click.UsageError("Give --consignment or --specimen.")
    found = settings()
    with create_app(found).app_context(), edge.still() as session:
        signer = keys.load(found.signing_key_file)
        if number is not None:
            data = bundle.of_consignment(session, number, signer=signer, now=clock.now())
        else:
            tube = _tube(session, str(accession))
            data = bundle.of_specimen(session, tube, signer=signer, now=clock.now())
    path = out or Path(f"custody-{number or accession}.zip")
    path.write_bytes(data)
    click.echo(f"{path}: {len(data)} bytes" + ("" if signer else ", not signed: the key is not on this machine"))


def _tube(session, accession: str):  # type: ignore[no-untyped-def]
    """The one tube with that number; two sites may use the same one."""
    from sqlalchemy import select

    from logistics.domain import numbers
    from logistics.models import Specimen

    query = select(Specimen).where(Specimen.accession_key == numbers.normalise(accession)).order_by(Specimen.id)
    tubes = session.scalars(query).all()
    if not tubes:
        raise click.ClickException(f"No tube has the number {accession}.")
    if len(tubes) > 1:
        sites = ", ".join(f"{one.issuing_site_code} {one.registered_on}" for one in tubes)
        raise click.ClickException(f"{len(tubes)} tubes have the number {accession}: {sites}. Export a consignment.")
    return tubes[0]
