"""What stands beside the log: whatever an intruder does to manifests, acts, handovers and rows is found and named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from logistics.domain.diagnosis import Kind
from logistics.integrity import bundle, check, digests, keys
from logistics.integrity.bundle_check import verify_bundle
from tests import factories as f
from tests.tamper import unlocked

pytestmark = pytest.mark.both_databases

LATER = f.START + timedelta(hours=1)
NIGHT = datetime(2026, 3, 9, 16, 30, tzinfo=UTC)
"""Half past midnight of 10 March in Xianning: the day is over."""


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def found(session: Session, now: datetime = LATER) -> list[tuple[str, int, Kind]]:
    """What a verification names, on the day itself: nothing is signed yet."""
    session.commit()
    return [(one.subject, one.seq, one.kind) for one in check.verify(session, now=now).findings]


def edit(session: Session, statement: str, values: Mapping[str, Any] | None = None) -> None:
    """One edit with the database in one's hands."""
    with unlocked(session):
        session.execute(text(statement), dict(values or {}))


def test_a_new_seal_on_the_way_is_no_tampering(world: Session, tmp_path: Path) -> None:
    """The record of a consignment that was sealed anew is whole, and so is its bundle; an edit of either version is
    named."""
    number = f.fetched(world)
    seal = {"seal": "SLNEW001", "reason": "SEAL_BROKEN"}
    f.done(world, "courier", f.act("reseal", {"consignment": number}, seal, at=LATER))
    assert found(world) == []
    signer = keys.ensure(world, tmp_path / "key", now=f.START)
    world.commit()
    while digests.make_next(world, signer, tmp_path / "digests", now=NIGHT) is not None:
        world.commit()
    (tmp_path / "bundle.zip").write_bytes(bundle.of_consignment(world, number, signer=signer, now=NIGHT))
    report = verify_bundle(tmp_path / "bundle.zip", anchor=signer.public_key)
    assert report.whole, report.findings
    edit(world, "UPDATE manifest_version SET lines = '[]' WHERE version = 2")
    assert [(subject, kind) for subject, _, kind in found(world)] == [(f"manifest {number} version 2", Kind.MANIFEST)]


@pytest.mark.parametrize("column", ["seal_number", "locked_by", "reason", "locked_at"])
def test_the_words_beside_a_manifest_are_compared(world: Session, column: str) -> None:
    """Seal, who locked it, when and why."""
    number = f.sealed(world)
    value = "'x'" if column != "locked_at" else "'2026-03-09 02:03:04.000000+00'"
    if world.get_bind().dialect.name == "sqlite":
        value = value.replace("+00", "")
    edit(world, f"UPDATE manifest_version SET {column} = {value}")
    assert [(subject, kind) for subject, _, kind in found(world)] == [(f"manifest {number} version 1", Kind.MANIFEST)]
