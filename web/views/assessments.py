"""Signing what becomes of the tubes of an excursion, and looking at what was signed: page, new look, one-page PDF."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from flask import Blueprint, Response, jsonify, render_template, request
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db, in_transaction, transaction
from logistics.domain.acts import Answer, Status
from logistics.errors import Invalid, NotFound
from logistics.models import Assessment, Reason, Specimen, Test, User
from logistics.services import assessed, assessment, recollect_calls, reference
from logistics.services.assessed import Evidence
from logistics.services.assessment import Signing, TubeAssessment
from telemetry import assess
from telemetry.models import ExcursionRow
from web import assessment_pdf, charts, episodes
from web.access import access
from web.assessment_words import change_words, disposition_words, verdict_words
from web.auth import scope
from web.episodes import Episode
from web.messages import sentence
from web.printing import pdf_response
from web.rendering import locale

blueprint = Blueprint("assessments", __name__, url_prefix="/manager")
OVERSIGHT = ("manager", "auditor")
GOOD = (Status.DONE, Status.DUPLICATE)


class TubeIn(msgspec.Struct, forbid_unknown_fields=True):
    """One decision as sent; ``id`` is the act's UUID, ``seen`` the verdict that the page showed."""

    id: str
    specimen_id: int
    disposition: str
    reason: str = ""
    seen: str = ""


class AssessmentIn(msgspec.Struct, forbid_unknown_fields=True):
    comment: str
    tubes: list[TubeIn]


@blueprint.post("/excursions/<int:excursion_id>/assess")
@access("manager")
def sign(excursion_id: int) -> Response:
    """Sign dispositions of tubes that were in the box; each is answered. Body: AssessmentIn, at most 500 tubes."""
    body = _read()
    now = clock.now()
    return in_transaction(lambda session: _sign(session, excursion_id, body, now))


def _sign(session: Session, excursion_id: int, body: AssessmentIn, now: datetime) -> Response:
    one = episodes.one(session, scope(), excursion_id, now=now)
    inside = {tube.id: tube for tube in episodes.exposed(session, one, scope()).tubes}
    for sent in body.tubes:
        if sent.specimen_id not in inside:
            raise NotFound("specimen_unknown", field="specimen", specimen=sent.specimen_id)
    chosen = list({sent.specimen_id: inside[sent.specimen_id] for sent in body.tubes}.values())
    judged = {row.specimen.id: row for row in charts.judged(session, chosen, now=now)}
    signings = [Signing(_uuid(sent.id), sent.specimen_id, sent.disposition, sent.reason) for sent in body.tubes]
    stale = {sent.id for sent in body.tubes if sent.seen and sent.seen != judged[sent.specimen_id].status}
    fresh = [signing for sent, signing in zip(body.tubes, signings, strict=True) if sent.id not in stale]
    user = session.get_one(User, current_user.id)
    answers: list[tuple[Signing, Answer]] = []
    if fresh or not signings:
        answers = assessment.sign(session, fresh, comment=body.comment, actor=user, scope=scope(), now=now)
    good = [(signing, answer) for signing, answer in answers if answer.status in GOOD]
    if any(answer.status is Status.DONE for _, answer in good):
        _keep(session, one, good, judged, body.comment.strip()[:1000], user, now)
    told = {signing.id: _answer(signing, answer) for signing, answer in answers}
    return jsonify({"answers": [told.get(signing.id) or _changed(signing, judged) for signing in signings]})


def _keep(
    session: Session,
    one: Episode,
    good: Sequence[tuple[Signing, Answer]],
    judged: dict[int, TubeAssessment],
    comment: str,
    user: User,
    now: datetime,
) -> None:
    evidence = Evidence(
        one.box_code, one.start, one.end, [row.id for row in one.rows], one.side, one.extreme_c, one.minutes,
        reference.stability_version(session),
    )  # fmt: skip
    assessed.keep(session, evidence, good, judged, comment=comment, user=user, now=now)
    tubes = [signing.specimen_id for signing, _ in good]
    again = [signing.specimen_id for signing, _ in good if signing.disposition == "recollect"]
    if again:
        recollect_calls.ask(session, again, now=now)
    signed = [_signed(signing, judged[signing.specimen_id].specimen) for signing, _ in good]
    assess.assessed(session, one.rows, by=user.username, comment=comment, dispositions=signed, now=now)
    keys = [alert.incident_key for alert in one.alerts]
    assessed.close_alerts(session, keys, tubes, username=user.username, comment=comment, scope=scope(), now=now)


def _read() -> AssessmentIn:
    try:
        body = msgspec.json.decode(request.get_data(), type=AssessmentIn)
        for sent in body.tubes:
            _uuid(sent.id)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Invalid("act_malformed", field="tubes", detail=str(error)) from None
    if len(body.tubes) > assessment.MAX_TUBES:
        raise Invalid("assessment_too_many", field="tubes", limit=assessment.MAX_TUBES)
    return body


def _uuid(text: str) -> str:
    return str(UUID(text))


def _signed(signing: Signing, tube: Specimen) -> dict[str, Any]:
    return {
        "specimen": tube.id,
        "accession": tube.accession,
        "disposition": signing.disposition,
        "reason": signing.reason,
    }


def _answer(signing: Signing, answer: Answer) -> dict[str, Any]:
    return {
        "specimen_id": signing.specimen_id,
        "status": answer.status.value,
        "code": answer.code,
        "sentence": sentence(answer.code, dict(answer.params)),
        "state": answer.result.get("state"),
    }


def _changed(signing: Signing, judged: dict[int, TubeAssessment]) -> dict[str, Any]:
    """Readings that came since the page was opened gave another verdict: nothing is signed unseen."""
    code = "assessment_changed"
    return {
        "specimen_id": signing.specimen_id,
        "status": "refused",
        "code": code,
        "sentence": sentence(code),
        "state": judged[signing.specimen_id].specimen.state,
    }


@blueprint.get("/assessments/<int:assessment_id>")
@access(*OVERSIGHT)
def page(assessment_id: int) -> str:
    """What was signed, how each tube stood then, and how it stands with what is known now."""
    session = db.session()
    one = assessed.visible(session, assessment_id, scope())
    return render_template("manager/assessment.html", **_facts(session, one), may_sign=current_user.role == "manager")


@blueprint.get("/assessments/<int:assessment_id>.pdf")
@access(*OVERSIGHT)
def pdf(assessment_id: int) -> Response:
    """The same on one page of paper. No patient data."""
    session = db.session()
    one = assessed.visible(session, assessment_id, scope())
    ids = [int(number) for number in one.excursion_ids]
    rules = list(session.scalars(select(ExcursionRow.rule_code).where(ExcursionRow.id.in_(ids)).distinct()))
    data = assessment_pdf.build(
        session, one, **_words(session, one), rules=rules, printed_by=current_user.name(locale())
    )
    return pdf_response(data, f"assessment-{one.id}")


@blueprint.post("/assessments/<int:assessment_id>/stands")
@access("manager")
def stands(assessment_id: int) -> Response:
    """Looked at again: the decision stays. Body {"word": "…"}."""
    body = request.get_json(silent=True)
    word = body.get("word") if isinstance(body, dict) else None
    if not isinstance(word, str):
        raise Invalid("field_missing", field="word")
    with transaction() as session:
        user = session.get_one(User, current_user.id)
        assessed.stands(session, assessment_id, word=word, user=user, scope=scope(), now=clock.now())
    return jsonify({"status": "done"})


def _facts(session: Session, one: Assessment) -> dict[str, Any]:
    tubes = session.scalars(select(Specimen).where(Specimen.id.in_([tube.specimen_id for tube in one.tubes]))).all()
    rows = {row.specimen.id: row for row in charts.judged(session, tubes, now=clock.now())}
    excursion = _excursion_of(session, one)
    return {"one": one, "rows": rows, "excursion": excursion, **_words(session, one)}


def _excursion_of(session: Session, one: Assessment) -> Episode | None:
    """The episode as it is known now; None when late readings took it back."""
    for number in one.excursion_ids:
        try:
            return episodes.one(session, scope(), int(number), now=clock.now())
        except NotFound:
            continue
    return None


def _words(session: Session, one: Assessment) -> dict[str, Any]:
    names = {name for name in (one.username, one.looked_by) if name}
    reasons = {tube.reason for tube in one.tubes if tube.reason}
    codes = {tube.test_code for tube in one.tubes if tube.test_code}
    return {
        "people": {user.username: user for user in session.scalars(select(User).where(User.username.in_(names)))},
        "reasons": {row.code: row for row in session.scalars(select(Reason).where(Reason.code.in_(reasons)))},
        "tests": {row.code: row for row in session.scalars(select(Test).where(Test.code.in_(codes)))},
    }


blueprint.record(
    lambda state: state.app.jinja_env.globals.update(
        disposition_words=disposition_words, change_words=change_words, verdict_words=verdict_words
    )
)
