"""Making the daily digests: the heads of all streams that grew, their tree's root, signed, one after the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, collate, func, insert, literal, literal_column, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain import merkle
from logistics.domain.acts import Status
from logistics.domain.custody import GENESIS
from logistics.domain.digests import Digest, bounds, day_of, last_closed_day, next_day, signed_bytes, text_hash
from logistics.errors import Conflict
from logistics.integrity import keys
from logistics.integrity.keys import Signer
from logistics.models import Act, CustodyDigest, CustodyDigestLeaf, CustodyEvent

LOCK = "digest"  # the counter whose row lets one process at a time make a digest


def make_next(session: Session, signer: Signer, folder: Path, *, now: datetime) -> CustodyDigest | None:
    """Sign the oldest day that is over and has no digest; None when all are signed. One transaction each.

    Raises Conflict('digest_witness') when the folder beside the key holds a digest of that day already: then somebody
    took it out of the database, and signing anew would hide that.
    """
    next_number(session, LOCK)
    last = newest(session)
    day = next_day(last.day) if last else _first_day(session)
    if day is None or day > last_closed_day(now):
        return None
    if witness_path(folder, day).exists():
        raise Conflict("digest_witness", field="day", day=day)
    made = _make(session, signer, day, last, now)
    session.add(made)
    session.flush()
    return made


def newest(session: Session) -> CustodyDigest | None:
    return session.scalars(select(CustodyDigest).order_by(CustodyDigest.number.desc()).limit(1)).first()


def _first_day(session: Session) -> str | None:
    """The day of the first event, or the one on which the key was made when that was earlier."""
    first = session.scalar(select(func.min(CustodyEvent.recorded_at)))
    known = keys.public_keys(session)
    instants = [at for at in (first, known[0].since if known else None) if at is not None]
    return day_of(min(instants)) if instants else None


def _make(session: Session, signer: Signer, day: str, last: CustodyDigest | None, now: datetime) -> CustodyDigest:
    since, until = bounds(day)
    grew = (
        select(CustodyEvent.stream, func.max(CustodyEvent.seq).label("seq"))
        .where(CustodyEvent.recorded_at >= since, CustodyEvent.recorded_at < until)
        .group_by(CustodyEvent.stream)
        .subquery()
    )
    heads = select(literal(day), CustodyEvent.stream, CustodyEvent.seq, CustodyEvent.hash).join(
        grew, (grew.c.stream == CustodyEvent.stream) & (grew.c.seq == CustodyEvent.seq)
    )
    session.execute(insert(CustodyDigestLeaf).from_select(["day", "stream", "seq", "hash"], heads))
    leaves = leaf_hashes(session, day)
    acts = act_hashes(session, since, until)
    answers = answers_hash(session, since, until)
    digest = Digest(
        day=day,
        number=last.number + 1 if last else 1,
        since=since,
        until=until,
        streams=len(leaves),
        events=count_events(session, since, until),
        root=merkle.root(leaves.values()).hex(),
        acts=len(acts),
        acts_root=merkle.root(acts.values()).hex(),
        previous=last.hash if last else GENESIS,
        key=signer.fingerprint,
        answers=answers[0],
        answers_hash=answers[1],
    )
    text = digest.to_text()
    return CustodyDigest(
        day=day,
        number=digest.number,
        text=text,
        hash=text_hash(text),
        signature=signer.sign(signed_bytes(text)),
        key_fingerprint=signer.fingerprint,
        made_at=now,
    )


def leaf_hashes(session: Session, day: str) -> dict[str, bytes]:
    """stream → leaf hash of a day, in the order of the tree (by the stream's bytes)."""
    query = select(CustodyDigestLeaf.stream, CustodyDigestLeaf.seq, CustodyDigestLeaf.hash).where(
        CustodyDigestLeaf.day == day
    )
    rows = sorted((str(stream), int(seq), str(head)) for stream, seq, head in session.execute(query))
    return {stream: merkle.leaf_hash(merkle.leaf_text(stream, seq, head)) for stream, seq, head in rows}


def act_hashes(session: Session, since: datetime, until: datetime) -> dict[str, bytes]:
    """act id → leaf hash of the acts that arrived in a time, in the order of the tree (by id)."""
    query = select(Act.id, Act.body_sha256).where(Act.recorded_at >= since, Act.recorded_at < until)
    rows = sorted((str(act_id), str(body)) for act_id, body in session.execute(query))
    return {act_id: act_leaf(act_id, body) for act_id, body in rows}


def act_leaf(act_id: str, body_sha256: str) -> bytes:
    """The leaf of an act as sent."""
    return merkle.leaf_hash(f"act:{act_id}\n{body_sha256}")


def answers_hash(session: Session, since: datetime, until: datetime) -> tuple[int, str]:
    """How many acts got their last answer in a time, and a hash over all of those. One that waits for review has none
    yet: what becomes of it belongs to the day of the decision."""
    at_once = and_(Act.answered_at.is_(None), Act.recorded_at >= since, Act.recorded_at < until)
    later = and_(Act.answered_at >= since, Act.answered_at < until)
    final = and_(or_(at_once, later), Act.status != Status.REVIEW.value, Act.answer_sha256.is_not(None))
    if session.get_bind().dialect.name == "postgresql":
        in_order: Any = aggregate_order_by(literal_column("''"), collate(Act.id, "C"))
        together = func.coalesce(func.string_agg(Act.id + Act.answer_sha256, in_order), "")
        summed = func.encode(func.sha256(func.convert_to(together, "UTF8")), "hex")
        count, found = session.execute(select(func.count(), summed).where(final)).one()
        return int(count), str(found)
    rows = session.execute(select(Act.id, Act.answer_sha256).where(final).order_by(Act.id)).all()
    return len(rows), hashlib.sha256("".join(f"{one}{sha256}" for one, sha256 in rows).encode()).hexdigest()


def count_events(session: Session, since: datetime, until: datetime) -> int:
    query = select(func.count()).where(CustodyEvent.recorded_at >= since, CustodyEvent.recorded_at < until)
    return int(session.scalar(query) or 0)


def witness_folder(key_file: Path) -> Path:
    """The copies of all digests outside the database: beside the key."""
    return key_file.with_name("digests")


def witness_path(folder: Path, day: str) -> Path:
    return folder / f"{day}.json"


def keep_witness(folder: Path, digests: Iterable[CustodyDigest]) -> None:
    """Write a copy of each digest that has none. Call after the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in digests:
        path = witness_path(folder, one.day)
        if not path.exists():
            temporary = path.with_suffix(".part")
            temporary.write_text(json.dumps(as_json(one), ensure_ascii=False), encoding="utf-8")
            temporary.replace(path)


def as_json(one: CustodyDigest) -> dict[str, str]:
    """A digest as it is handed out: what was signed, the signature, and whose it is."""
    return {"text": one.text, "signature": one.signature, "key": one.key_fingerprint}
