"""Edges: signing the days that are over, and a still picture of the database to verify while people work on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, set_reading, transaction
from logistics.errors import LabrelayError
from logistics.integrity import check, digests, keys
from logistics.models import CustodyDigest, Setting

log = logging.getLogger(__name__)
JOB_KIND = "verify"
LAST = "integrity.last"
"""The setting that holds the last verification."""
MOST_DAYS = 400  # signed in one go after a long rest
MOST_FINDINGS = 200  # kept of a verification


def make_key(key_file: Path) -> str | None:
    """See that the installation has a key; its fingerprint, or None (and a line in the log) when it cannot be had."""
    try:
        with transaction() as session:
            return keys.ensure(session, key_file, now=clock.now()).fingerprint
    except (LabrelayError, SQLAlchemyError) as error:  # the tables may not be there yet: the daily task tries again
        log.warning("no daily digests from here: %s", getattr(error, "code", error))
        return None


def sign_due(key_file: Path) -> list[str]:
    """Sign every day that is over and unsigned, each in its own transaction; the days that were signed.

    Raises LabrelayError when the key is not here, or when a day was signed before and taken out.
    """
    with transaction() as session:
        signer = keys.ensure(session, key_file, now=clock.now())
    folder = digests.witness_folder(key_file)
    days: list[str] = []
    while len(days) < MOST_DAYS:
        with transaction() as session:
            made = digests.make_next(session, signer, folder, now=clock.now())
        if made is None:
            break
        days.append(made.day)
        digests.keep_witness(folder, [made])
    if not days:
        _mend_witness(folder)
    return days


def _mend_witness(folder: Path) -> None:
    """The copy of the newest digest, when the process ended before it was written."""
    with transaction() as session:
        query = select(CustodyDigest).order_by(CustodyDigest.number.desc()).limit(1)
        newest = session.scalars(query).first()
    if newest is not None and not digests.witness_path(folder, newest.day).exists():
        digests.keep_witness(folder, [newest])


@contextmanager
def still() -> Iterator[Session]:
    """A session that sees one moment and can only read."""
    set_reading(True)
    options: dict[str, Any] = {}
    if db.engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with db.engine.connect().execution_options(**options) as connection, Session(connection) as session:
        yield session


def verify(key_file: Path, *, anchor: str | None = None, tell: check.Tell = check.silent) -> check.Report:
    """Verify the database against ``anchor`` (a public key, hex), else against the key that is here, if one is."""
    if anchor is None:
        signer = keys.load(key_file)
        anchor = signer.public_key if signer else None
    with still() as session:
        return check.verify(session, now=clock.now(), anchor=anchor, folder=digests.witness_folder(key_file), tell=tell)


def as_json(report: check.Report) -> dict[str, Any]:
    """A report as it is printed, kept and shown."""
    return {
        "whole": report.whole,
        "events": report.events,
        "streams": report.streams,
        "digests": report.digests,
        "acts": report.acts,
        "manifests": report.manifests,
        "unsigned": report.unsigned,
        "signed_until": report.signed_until.isoformat() if report.signed_until else None,
        "key": report.anchor,
        "key_given": report.anchored,
        "found": len(report.findings),
        "findings": [
            {"kind": one.kind.value, "subject": one.subject, "seq": one.seq, "detail": one.detail}
            for one in report.findings[:MOST_FINDINGS]
        ],
    }


def keep(session: Session, result: Mapping[str, Any], *, by: str, at: datetime, seconds: float) -> dict[str, Any]:
    """Remember the last verification for the page that shows it."""
    value = {**result, "by": by, "at": at.isoformat(), "seconds": str(round(seconds, 1))}
    row = session.get(Setting, LAST)
    if row is None:
        session.add(Setting(name=LAST, value=value))
    else:
        row.value = value
    return value


def last(session: Session) -> dict[str, Any] | None:
    row = session.get(Setting, LAST)
    return dict(row.value) if row is not None else None
