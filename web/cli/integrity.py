"""Commands that prove the custody record unedited: verify, digest, keys."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import monotonic, process_time
from typing import TYPE_CHECKING, Any

import click

from web.cli import settings

if TYPE_CHECKING:
    from logistics.integrity.check import Tell

KEY_OPTION = click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PEM file of the public key to trust (labrelay keys show --pem).",
)


def anchor_of(key_path: Path | None) -> str | None:
    """The public key (hex) in a PEM file."""
    from logistics.integrity.keys import from_pem

    return from_pem(key_path.read_text(encoding="utf-8", errors="replace")) if key_path else None


@click.command()
@click.argument("bundle", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@KEY_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(bundle: Path | None, key_path: Path | None, as_json: bool) -> None:
    """Check the custody record of this installation, or BUNDLE, which needs no installation.

    Names every event that was edited, removed, inserted or reordered, every forged digest and signature, and exits
    with 1 when there is one.
    """
    anchor = anchor_of(key_path)
    if bundle is None:
        result, lines = _verify_log(anchor, quiet=as_json)
    else:
        result, lines = _verify_bundle(bundle, anchor)
    click.echo(json.dumps(result, ensure_ascii=False, indent=1) if as_json else "\n".join(lines))
    sys.exit(0 if result["whole"] else 1)


def _verify_log(anchor: str | None, *, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    from logistics import clock
    from logistics.db import transaction
    from logistics.integrity import edge
    from logistics.integrity.keys import shown
    from web.app import create_app

    found = settings()
    with create_app(found).app_context():
        begun, used = monotonic(), process_time()
        report = edge.verify(found.signing_key_file, anchor=anchor, tell=progress(quiet=quiet))
        seconds, core_s = monotonic() - begun, process_time() - used
        result = edge.as_json(report)
        with transaction() as session:
            edge.keep(session, result, by="", at=clock.now(), seconds=seconds)
    lines = [one.line() for one in report.findings]
    lines.append(
        f"{report.events} events in {report.streams} streams, {report.manifests} manifests, {report.acts} signed acts, "
        f"{report.digests} daily digests, {seconds:.1f} s, {core_s:.1f} s of one core"
    )
    if report.signed_until:
        lines.append(f"Signed until {report.signed_until.isoformat()}; {report.unsigned} newer events.")
    else:
        lines.append("No day is signed yet.")
    if report.anchor:
        whose = "" if report.anchored else " (nobody said whom to trust: compare it with the one you know)"
        lines.append(f"Trusted key: {shown(report.anchor)}{whose}")
    lines.append("The custody record is whole." if report.whole else f"{len(report.findings)} things do not hold.")
    return result, lines


def _verify_bundle(path: Path, anchor: str | None) -> tuple[dict[str, Any], list[str]]:
    from logistics.integrity.bundle_check import verify_bundle
    from logistics.integrity.keys import shown

    report = verify_bundle(path, anchor=anchor)
    lines = [one.line() for one in report.findings]
    lines.append(f"{report.title}: {report.events} events in {report.streams} streams, {report.digests} daily digests")
    lines.append(
        f"{report.unsigned} events are newer than the last digest: their chains hold, no signature covers them."
    )
    whose = "" if report.anchored else " (nobody said whom to trust: compare it with the one the laboratory shows)"
    lines.append(f"Trusted key: {shown(report.anchor)}{whose}")
    lines.append("Signed as a whole by that key." if report.sealed else "NOT signed as a whole: it proves nothing.")
    lines.append("The bundle is whole." if report.whole else f"{len(report.findings)} things do not hold.")
    return report.as_json(), lines


def progress(*, quiet: bool) -> Tell:
    """A line on standard error that is written over, when somebody looks at it."""
    shown = not quiet and sys.stderr.isatty()

    def tell(stage: str, done: int, total: int) -> None:
        if shown:
            share = f"{100 * done // total} %" if total else ""
            click.echo(f"\r{stage}: {done} / {total} {share}\033[K", err=True, nl=False)
            if stage == "records" and done == total:
                click.echo("\r\033[K", err=True, nl=False)

    return tell


@click.command()
@click.option("--show", is_flag=True, help="Print all digests as JSON lines, to keep them elsewhere; make none.")
def digest(show: bool) -> None:
    """Sign every day that is over and has no digest. Doing it twice changes nothing."""
    from sqlalchemy import select

    from logistics.db import db
    from logistics.integrity import digests, edge
    from logistics.models import CustodyDigest
    from web.app import create_app

    found = settings()
    with create_app(found).app_context():
        if show:
            for one in db.session.scalars(select(CustodyDigest).order_by(CustodyDigest.number)):
                click.echo(json.dumps(digests.as_json(one), ensure_ascii=False))
            return
        days = edge.sign_due(found.signing_key_file)
    for day in days:
        click.echo(f"{day} signed")
    click.echo(f"{len(days)} days signed")


@click.group()
def keys() -> None:
    """The key that signs the daily digests of the custody log."""


@keys.command()
@click.option("--pem", is_flag=True, help="Print the newest public key as PEM, for labrelay verify --key.")
def show(pem: bool) -> None:
    """List the public keys and their fingerprints; nothing of the private one."""
    from logistics.db import db
    from logistics.integrity.keys import public_keys, shown, to_pem
    from web.app import create_app

    with create_app(settings()).app_context():
        known = public_keys(db.session())
    if not known:
        raise click.ClickException("There is no key yet: labrelay init makes it, or the first labrelay digest.")
    if pem:
        click.echo(to_pem(known[-1].public_key), nl=False)
        return
    for one in known:
        click.echo(f"{shown(one.fingerprint)}   since {one.since.isoformat()}")


@keys.command()
@click.option("--lost", is_flag=True, help="The old key is gone and cannot endorse the new one.")
def rotate(lost: bool) -> None:
    """Replace the key. Old digests stay verifiable; the old private key is destroyed."""
    from logistics import clock
    from logistics.db import transaction
    from logistics.integrity import keys as handling
    from web.app import create_app

    found = settings()
    with create_app(found).app_context(), transaction() as session:
        made = handling.rotate(session, found.signing_key_file, now=clock.now(), lost=lost)
    handling.take_over(found.signing_key_file)
    click.echo(f"New key: {handling.shown(made.fingerprint)}")
    if lost:
        click.echo("The old key did not endorse it: tell everybody who verifies bundles the new fingerprint.")
