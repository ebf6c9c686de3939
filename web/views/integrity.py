"""Integrity of the record: the key, the daily digests, the last verification and a new one."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as WerkzeugResponse

from logistics import tasks
from logistics.clock import parse_instant, wall_now
from logistics.db import db, transaction
from logistics.domain.diagnosis import Kind
from logistics.domain.digests import Digest
from logistics.errors import NotFound
from logistics.integrity import digests, edge, keys
from logistics.models import CustodyDigest, CustodyEvent, Job
from logistics.queries import worklists
from logistics.services import jobs
from web import auth
from web.access import access

blueprint = Blueprint("integrity", __name__)
SHOWN_DIGESTS = 60

KIND_WORDS: dict[str, Any] = {
    Kind.EDITED: _l("Edited"),
    Kind.REMOVED: _l("Removed"),
    Kind.INSERTED: _l("Inserted"),
    Kind.REORDERED: _l("Reordered"),
    Kind.REWRITTEN: _l("Rewritten"),
    Kind.HEAD: _l("Differs from its row"),
    Kind.SUBJECT: _l("Belongs to nothing"),
    Kind.DIGEST_MISSING: _l("Digest missing"),
    Kind.DIGEST_TEXT: _l("Digest does not fit the log"),
    Kind.DIGEST_SIGNATURE: _l("Signature does not hold"),
    Kind.DIGEST_CHAIN: _l("Digest out of its chain"),
    Kind.DIGEST_LEAVES: _l("Digest does not fit its parts"),
    Kind.DIGEST_WITNESS: _l("Differs from its copy"),
    Kind.PROJECTION: _l("Differs from the log"),
    Kind.KEY: _l("Key not trusted"),
    Kind.ACT: _l("Act changed or gone"),
    Kind.MANIFEST: _l("Manifest changed or gone"),
    Kind.FILE: _l("File changed or gone"),
}


@blueprint.get("/integrity")
@access("auditor", "administrator")
def page() -> str:
    """What proves that the record is unedited, and the last proof."""
    session = db.session()
    found = session.scalars(select(CustodyDigest).order_by(CustodyDigest.number.desc()).limit(SHOWN_DIGESTS)).all()
    last = edge.last(session)
    return render_template(
        "integrity/page.html",
        rows=[(one, Digest.from_text(one.text)) for one in found],
        total=session.scalar(select(func.count()).select_from(CustodyDigest)) or 0,
        known=[(one, keys.shown(one.fingerprint)) for one in reversed(keys.public_keys(session))],
        last=last,
        last_at=parse_instant(last["at"]) if last else None,
        signed_until=parse_instant(last["signed_until"]) if last and last["signed_until"] else None,
        job=_open_job(session),
        failed=_failed(session),
        newer=_newer(session, found[0] if found else None),
        words=KIND_WORDS,
        people=worklists.people(session, [last["by"]] if last else []),
    )


def _open_job(session: Session) -> Job | None:
    query = select(Job).where(Job.kind == edge.JOB_KIND, Job.state.in_(jobs.OPEN)).order_by(Job.created_at)
    return session.scalars(query).first()


def _failed(session: Session) -> Job | None:
    """The last verification, when it could not be carried out."""
    query = select(Job).where(Job.kind == edge.JOB_KIND).order_by(Job.created_at.desc(), Job.id).limit(1)
    job = session.scalars(query).first()
    return job if job is not None and job.state == jobs.FAILED else None


def _newer(session: Session, last: CustodyDigest | None) -> int:
    """Events that no digest covers yet."""
    query = select(func.count()).select_from(CustodyEvent)
    if last is not None:
        query = query.where(CustodyEvent.recorded_at >= Digest.from_text(last.text).until)
    return int(session.scalar(query) or 0)


@blueprint.post("/integrity/verify")
@access("auditor", "administrator")
def verify() -> WerkzeugResponse:
    """Start a verification, unless one is under way."""
    with transaction() as session:
        job = _open_job(session)
        if job is None:
            job = jobs.add(
                session, edge.JOB_KIND, {"by": current_user.username}, by=current_user.username, now=wall_now()
            )
            auth.audit(session, "record_verified")
        job_id = job.id
    tasks.send(job_id)
    return redirect(url_for("integrity.page"))


@blueprint.get("/integrity/progress")
@access("auditor", "administrator")
def progress() -> Response:
    """For the page's script: ``{"running": true, "stage": "log", "done": 20000, "all": 300000}``."""
    job = _open_job(db.session())
    answer = jsonify({"running": job is not None, **(dict(job.progress) if job else {})})
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/integrity/digests.jsonl")
@access("auditor", "administrator")
def all_digests() -> Response:
    """All digests with their signatures, to be kept where nobody of this house can reach them."""
    rows = db.session.scalars(select(CustodyDigest).order_by(CustodyDigest.number))
    text = "".join(json.dumps({"day": one.day, **digests.as_json(one)}, ensure_ascii=False) + "\n" for one in rows)
    return _file(text.encode(), "application/jsonl", "labrelay-digests.jsonl")


@blueprint.get("/integrity/key.pem")
@access("auditor", "administrator", "manager")
def key_file() -> Response:
    """The newest public key, for ``labrelay verify --key``."""
    known = keys.public_keys(db.session())
    if not known:
        raise NotFound("signing_key_none")
    return _file(keys.to_pem(known[-1].public_key).encode(), "application/x-pem-file", "labrelay-key.pem")


def _file(data: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, mimetype=kind, headers=headers)
