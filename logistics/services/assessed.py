"""What managers signed about the tubes of an excursion: kept with what they knew, compared with what is known later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain.access import Scope
from logistics.domain.acts import Answer
from logistics.domain.cold_chain import ExcursionFact
from logistics.domain.stability import StabilityRule
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, AssessedTube, Assessment, Specimen, User
from logistics.services import alerts
from logistics.services.assessment import CLOSED, DONE, Signing, TubeAssessment

REASSESS = "reassess"
ASSESSED, ASSESSED_PART = "assessed", "assessed_part"
MOVED_C = 0.5
MOVED_MIN = 5.0
WITHDRAWN, ANOTHER, EXTREME, LONGER, EARLIER = "withdrawn", "another", "extreme", "longer", "earlier"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The episode as it was known when it was signed. Temperatures °C; ``end`` None: it lasted still."""

    box_code: str
    start: datetime
    end: datetime | None
    excursion_ids: Sequence[int]
    side: str  # upper | lower
    extreme_c: float
    minutes: float
    version: int  # of the stability rules


def keep(
    session: Session,
    evidence: Evidence,
    signed: Sequence[tuple[Signing, Answer]],
    judged: Mapping[int, TubeAssessment],
    *,
    comment: str,
    user: User,
    now: datetime,
) -> Assessment:
    """Write down what was signed, and how each tube stood then. It answers older calls for a new look."""
    row = Assessment(
        at=now,
        username=user.username,
        site_code=user.site_code,
        box_code=evidence.box_code,
        start_at=evidence.start,
        end_at=evidence.end,
        excursion_ids=sorted(evidence.excursion_ids),
        side=evidence.side,
        extreme_c=evidence.extreme_c,
        minutes=evidence.minutes,
        comment=comment,
        version=evidence.version,
        tubes=[_tube(signing, judged[signing.specimen_id]) for signing, _ in signed],
    )
    _looked_by_signing(session, row, now)
    session.add(row)
    session.flush()
    return row


def _tube(signing: Signing, judged: TubeAssessment) -> AssessedTube:
    use = judged.deciding
    verdict = use.verdict if use else None
    return AssessedTube(
        specimen_id=signing.specimen_id,
        accession=judged.specimen.accession,
        disposition=signing.disposition,
        reason=signing.reason,
        act_id=signing.id,
        status=judged.status,
        test_code=use.test.code if use else "",
        rules=[_quoted(rule) for rule in use.rules] if use else [],
        used_share=judged.used_share,
        outside_s=verdict.outside.total_seconds() if verdict else 0.0,
        unknown_s=judged.exposure.unknown.total_seconds(),
        use_by_at=judged.use_by,
    )


def _quoted(rule: StabilityRule) -> dict[str, Any]:
    hours = rule.longest / timedelta(hours=1)
    return {"low_c": rule.low_c, "high_c": rule.high_c, "hours": hours, "source": rule.source, "stage": rule.stage}


def close_alerts(
    session: Session,
    incident_keys: Iterable[str],
    tubes: Iterable[int],
    *,
    username: str,
    comment: str,
    scope: Scope,
    now: datetime,
) -> list[Alert]:
    """The alerts of what was signed are answered; those that are over and have no tube left to decide are closed.

    So are other excursions of the same tubes, when this decision has left nothing of them open.
    """
    own = set(incident_keys)
    signed = set(tubes)
    found = session.scalars(
        select(Alert)
        .where(Alert.kind == "excursion", Alert.state != "closed")
        .where(or_(Alert.incident_key.in_(sorted(own)), Alert.state == "ended"))
        .order_by(Alert.id)
        .with_for_update()
    ).all()
    answered = []
    for alert in found:
        mine = alert.incident_key in own
        if not scope.covers(alert.site_code) or not (mine or signed & set(alert.specimen_ids)):
            continue
        left = _undecided(session, alert)
        if not mine and left:
            continue
        if alert.acknowledged_at is None:
            alert.acknowledged_by, alert.acknowledged_at, alert.comment = username, now, comment[:500]
        alert.updated_at = now
        if alert.state == "ended" and not left:
            alert.state = "closed"
        kind = ASSESSED_PART if left else ASSESSED
        alerts.note(session, alert, kind, now=now, username=username, text=comment[:500], params={"left": len(left)})
        answered.append(alert)
    if answered:
        next_number(session, alerts.VERSION)
    return answered


def _undecided(session: Session, alert: Alert) -> set[int]:
    """The tubes of an excursion about which nobody has signed anything since it began, and that still live."""
    left = set(alert.specimen_ids)
    if not left:
        return left
    settled = select(Specimen.id).where(Specimen.id.in_(left), Specimen.state.in_(sorted(DONE | CLOSED)))
    left -= set(session.scalars(settled))
    signed = (
        select(AssessedTube.specimen_id)
        .join(Assessment, Assessment.id == AssessedTube.assessment_id)
        .where(AssessedTube.specimen_id.in_(left), Assessment.at >= alert.occurred_at)
    )
    return left - set(session.scalars(signed))


# --- what is known later ---


def facts_changed(session: Session, fact: ExcursionFact, *, now: datetime) -> list[Assessment]:
    """Late readings changed an excursion: whoever signed about it is asked to look again."""
    known = session.scalars(
        select(Assessment)
        .where(
            Assessment.box_code == fact.box_code,
            Assessment.at > fact.start,
            or_(Assessment.end_at.is_(None), Assessment.end_at >= fact.start),
        )
        .order_by(Assessment.at.desc())
    ).all()
    asked: list[Assessment] = []
    for one in known:
        if fact.end is not None and fact.end < one.start_at:
            continue
        what = changed(one, fact)
        if not what or (one.look_again == what and one.looked_at is None):
            continue
        one.look_again, one.look_again_at, one.looked_at, one.looked_by = what, now, None, None
        asked.append(one)
        _ask(session, one, fact, what, now)
    return asked


def changed(signed: Assessment, fact: ExcursionFact) -> str:
    """What of the fact differs from what was signed; empty: nothing that matters.

    Of an excursion that was signed while it lasted, only what lies before the signature can have changed.
    """
    mine = fact.excursion_id in signed.excursion_ids
    over = signed.end_at is not None
    stands = not fact.withdrawn
    same = stands and fact.side == signed.side
    worse = fact.extreme_c - signed.extreme_c if fact.side == "upper" else signed.extreme_c - fact.extreme_c
    found = {
        WITHDRAWN: fact.withdrawn and mine,
        EARLIER: same and fact.start < signed.start_at - timedelta(minutes=MOVED_MIN),
        EXTREME: same and over and worse >= MOVED_C,
        LONGER: same and over and fact.minutes - signed.minutes >= MOVED_MIN,
        ANOTHER: stands and over and not mine,
    }
    return next((what for what, holds in found.items() if holds), "")


def _ask(session: Session, one: Assessment, fact: ExcursionFact, what: str, now: datetime) -> None:
    tubes = [tube.specimen_id for tube in one.tubes]
    site = session.scalar(select(Specimen.destination_code).where(Specimen.id.in_(tubes)).limit(1))
    alerts.raise_alert(
        session,
        kind=REASSESS,
        severity="warning",
        site_code=site or one.site_code or "",
        box_code=one.box_code,
        incident_key=f"{REASSESS}:{one.id}",
        params={
            "box": one.box_code,
            "assessment": one.id,
            "what": what,
            "value_c": fact.extreme_c,
            "signed_c": one.extreme_c,
            "minutes": round(fact.minutes),
            "signed_min": round(one.minutes),
            "by": one.username,
            "signed_at": one.at.isoformat(),
            "tubes": len(tubes),
        },
        specimen_ids=tubes,
        occurred_at=fact.start,
        now=now,
    )


def visible(session: Session, assessment_id: int, scope: Scope) -> Assessment:
    """Raises NotFound('assessment_unknown') also for one that concerns no tube of the scope."""
    one = session.get(Assessment, assessment_id)
    if one is not None:
        ids = [tube.specimen_id for tube in one.tubes]
        sites = select(Specimen.destination_code, Specimen.collecting_site_code).where(Specimen.id.in_(ids))
        for destination, collecting in session.execute(sites.distinct()):
            if scope.covers(destination, collecting):
                return one
    raise NotFound("assessment_unknown", field="assessment")


def stands(session: Session, assessment_id: int, *, word: str, user: User, scope: Scope, now: datetime) -> Assessment:
    """A manager has looked again and leaves the decision as it is. Raises Invalid without a word, Conflict when
    nothing asks for it."""
    one = visible(session, assessment_id, scope)
    session.refresh(one, with_for_update=True)
    if not word.strip():
        raise Invalid("field_missing", field="word")
    if not one.look_again or one.looked_at is not None:
        raise Conflict("assessment_looked_at", field="assessment")
    one.looked_at, one.looked_by = now, user.username
    _answer(session, one, user.username, word.strip()[:500], now)
    return one


def _looked_by_signing(session: Session, row: Assessment, now: datetime) -> None:
    tubes = {tube.specimen_id for tube in row.tubes}
    waiting = select(Assessment).where(
        Assessment.box_code == row.box_code, Assessment.look_again != "", Assessment.looked_at.is_(None)
    )
    for one in session.scalars(waiting):
        if {tube.specimen_id for tube in one.tubes} <= tubes:
            one.looked_at, one.looked_by = now, row.username
            _answer(session, one, row.username, row.comment[:500], now)


def _answer(session: Session, one: Assessment, username: str, word: str, now: datetime) -> None:
    key = f"{REASSESS}:{one.id}"
    alert = session.scalars(select(Alert).where(Alert.incident_key == key).with_for_update()).first()
    if alert is None or alert.state == "closed":
        return
    if alert.acknowledged_at is None:
        alert.acknowledged_by, alert.acknowledged_at, alert.comment = username, now, word
    alert.state, alert.ended_at, alert.updated_at = "closed", alert.ended_at or now, now
    alerts.note(session, alert, ASSESSED, now=now, username=username, text=word)
    next_number(session, alerts.VERSION)


def of_box(session: Session, box_code: str, start: datetime, end: datetime | None) -> list[Assessment]:
    """The assessments of an episode of a box, newest first."""
    query = select(Assessment).where(
        Assessment.box_code == box_code, or_(Assessment.end_at.is_(None), Assessment.end_at >= start)
    )
    if end is not None:
        query = query.where(Assessment.start_at <= end)
    return list(session.scalars(query.order_by(Assessment.at.desc(), Assessment.id.desc())))
