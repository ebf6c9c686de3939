"""``labrelay logger import``: read a logger's own file in, and say what it holds."""

from __future__ import annotations

import json
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click
from flask_babel import force_locale, gettext

from logistics import clock
from logistics.db import db, transaction
from logistics.errors import LabrelayError
from logistics.models import AuditEntry
from telemetry import devices, file_import
from telemetry.codecs.options import zone_of
from telemetry.file_import import Imported
from telemetry.models import Device
from web.app import create_app
from web.cli import settings
from web.i18n import LOCALES
from web.messages import sentence_of

WHO = "cli"


@click.group()
def logger() -> None:
    """Files of loggers without a network."""


@logger.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--device", "device_code", required=True, help="Whose file it is: the code of a registered logger.")
@click.option("--probe", type=click.IntRange(0, 255), default=1, show_default=True)
@click.option("--mapping", help="CSV: a mapping kept under this name, or logtag, elitech.")
@click.option("--zone", help="Zone of the logger's clock where the file's is wrong or missing: Asia/Shanghai.")
@click.option("--register", is_flag=True, help="Register the logger first when nobody knows it.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--lang", type=click.Choice(list(LOCALES)), default="zh_CN", show_default=True)
def import_(
    file: Path,
    device_code: str,
    probe: int,
    mapping: str | None,
    zone: str | None,
    register: bool,
    as_json: bool,
    lang: str,
) -> None:
    """Read a Berlinger text export (Fridge-tag 2, 2 L, UL, Q-tag) or a CSV.

    The same file again changes nothing. Exit 1 when something in it could not be used.
    """
    app = create_app(settings())
    with app.app_context(), force_locale(lang):
        try:
            own_zone = zone_of(zone) if zone else None
            found = _take(file, device_code, probe, mapping, own_zone, register)
        except LabrelayError as error:
            raise click.ClickException(str(sentence_of(error))) from None
        report = {
            **found.report, "device_code": device_code, "stored": found.stored, "duplicates": found.duplicates,
            "quarantined": found.quarantined, "refused": found.refused, "known": found.known,
        }  # fmt: skip
        click.echo(json.dumps(report, ensure_ascii=False, indent=2) if as_json else _words(report))
    if found.refused:
        raise click.exceptions.Exit(1)


def _take(
    file: Path, device_code: str, probe: int, mapping: str | None, zone: tzinfo | None, register: bool
) -> Imported:
    now = clock.now()
    with transaction() as session:
        chosen: dict[str, Any] | None = file_import.mapping(session, mapping) if mapping else None
        if chosen is not None and zone is not None:
            chosen["zone"] = str(zone)
        if register and session.get(Device, device_code) is None:
            devices.register(session, device_code, now=now, receipts=False)
        found = file_import.take(
            session, device_code, file.read_bytes(), file.name, username=WHO, now=now, mapping=chosen, zone=zone,
            probe=probe,
        )  # fmt: skip
        detail = {"file": file.name[:120], "stored": found.stored, "quarantined": found.quarantined}
        session.add(AuditEntry(at=now, username=WHO, action="logger_file", subject=device_code, detail=detail))
    db.session.remove()
    return found


def _words(report: dict[str, Any]) -> str:
    lines = [
        gettext("Logger %(device)s: %(model)s %(serial)s", device=report["device_code"], model=report["model"],
                serial=report["serial"]),
        gettext("%(readings)s readings: %(stored)s new, %(duplicates)s known, %(quarantined)s in quarantine, "
                "%(refused)s refused", **{name: report[name] for name in
                                          ("readings", "stored", "duplicates", "quarantined", "refused")}),
    ]  # fmt: skip
    if report["readings"]:
        lines += [
            gettext("From %(first)s to %(last)s", first=report["first"], last=report["last"]),
            gettext("Lowest %(min)s °C, highest %(max)s °C, mean %(mean)s °C, MKT %(mkt)s °C", min=report["min_c"],
                    max=report["max_c"], mean=report["mean_c"], mkt=report["mkt_c"]),
        ]  # fmt: skip
    lines += [
        gettext("Gap from %(start)s to %(end)s, %(minutes)s min", start=gap["from"], end=gap["to"],
                minutes=round(gap["minutes"]))
        for gap in report["gaps"]
    ]  # fmt: skip
    lines += [
        gettext("Excursion %(rule)s from %(start)s, %(minutes)s min, %(low)s to %(high)s °C", rule=one["rule"],
                start=one["start"], minutes=round(one["minutes"]), low=one["min_c"], high=one["max_c"])
        for one in report["excursions"]
    ]  # fmt: skip
    lines += [
        gettext("Differs: %(what)s %(day)s %(side)s: the device says %(device)s, we count %(ours)s", what=one["what"],
                day=one["day"] or "", side=one["side"], device=one["device"], ours=one["ours"])
        for one in report["differences"]
    ]  # fmt: skip
    return "\n".join(str(line) for line in lines)
