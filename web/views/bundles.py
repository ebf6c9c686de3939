"""Custody bundles from the browser: asked for here, made by a worker that has the key, fetched by who asked."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as WerkzeugResponse

from logistics import tasks
from logistics.clock import wall_now
from logistics.db import db, transaction
from logistics.integrity import prepared
from logistics.models import PreparedFile, Specimen
from logistics.queries import journey, records
from logistics.services import jobs
from web import auth
from web.access import access
from web.auth import scope

blueprint = Blueprint("bundles", __name__)


@blueprint.post("/custody/consignments/<number>/bundle")
@access("manager", "auditor")
def of_consignment(number: str) -> WerkzeugResponse:
    """Ask for the bundle of a consignment that concerns one of the reader's sites; logged."""
    one = records.consignment(db.session(), scope(), current_user.username, number)
    return _ask(prepared.CONSIGNMENT, one.number)


@blueprint.post("/custody/specimens/<int:specimen_id>/bundle")
@access("manager", "auditor")
def of_specimen(specimen_id: int) -> WerkzeugResponse:
    """Ask for the bundle of one tube; logged."""
    one = journey.visible(db.session(), scope(), current_user.username, specimen_id)
    return _ask(prepared.SPECIMEN, str(one.id), accession=one.accession)


def _ask(kind: str, key: str, **detail: str) -> WerkzeugResponse:
    db.session.rollback()  # what was read: the request is written by a transaction of its own
    with transaction() as session:
        job_id = prepared.ask(session, kind, key, by=current_user.username, now=wall_now()).id
        auth.audit(session, "bundle_exported", f"{kind}:{key}", **detail)
    tasks.send(job_id)
    return redirect(url_for("bundles.page", job_id=job_id))


@blueprint.get("/custody/bundles/<job_id>")
@access("manager", "auditor")
def page(job_id: str) -> str:
    """Being made, ready, or why it could not be made."""
    session = db.session()
    job = prepared.asked(session, job_id, current_user.username)
    specimen = session.get(Specimen, int(job.args["key"])) if job.args["kind"] == prepared.SPECIMEN else None
    return render_template(
        "integrity/bundle.html",
        job=job,
        number=job.args["key"],
        specimen=specimen,
        waiting=job.state in jobs.OPEN,
        ready=session.get(PreparedFile, job_id),
        kept_hours=int(prepared.KEPT.total_seconds() // 3600),
    )


@blueprint.get("/custody/bundles/<job_id>/state")
@access("manager", "auditor")
def state(job_id: str) -> Response:
    """For the page's script: ``{"waiting": true}``."""
    job = prepared.asked(db.session(), job_id, current_user.username)
    answer = jsonify({"waiting": job.state in jobs.OPEN})
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/custody/bundles/<job_id>/file")
@access("manager", "auditor")
def file(job_id: str) -> Response:
    """The zip file."""
    found = prepared.fetch(db.session(), job_id, current_user.username)
    headers = {"Content-Disposition": f'attachment; filename="{found.name}"', "Cache-Control": "no-store"}
    return Response(found.data, mimetype=found.media_type, headers=headers)
