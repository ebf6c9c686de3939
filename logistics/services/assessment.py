"""From an excursion to a signed decision about each tube: the rules it falls under, a proposal, the acts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import stability
from logistics.domain.access import Scope
from logistics.domain.acts import Act, Answer
from logistics.domain.acts import Status as ActStatus
from logistics.domain.stability import Exposure, StabilityRule, Status, Verdict
from logistics.domain.transitions import ALIVE, State
from logistics.errors import Invalid
from logistics.models import Act as ActRow
from logistics.models import Specimen, Test, User
from logistics.services import custody
from logistics.services import stability as stability_service
from logistics.services.stability import NO_RULE, STORAGE_C, RuleBook

S = State
RECALLED_WARM = "RECALL_TEMPERATURE"
DISPOSITIONS = ("accept", "concession", "reject", "recollect", "hold", "release", "recall", "note")
DECIDE, DECIDED = "decide", "decided"
DONE = frozenset({S.ACCEPTED, S.ACCEPTED_CONCESSION})
CLOSED = frozenset({S.REJECTED, S.RECALLED, S.RETURNED, S.LOST, S.MISSING, S.DISPOSED, S.COLLECTION_FAILED})
PROPOSALS = {Status.FIT: "accept", Status.USE_BY: "accept", Status.EXPIRED: "recollect"}
MAX_TUBES = 500


@dataclass(frozen=True, slots=True)
class TestUse:
    """One ordered test of a tube: the rules that hold for it and how they stand. No rules: nothing is known."""

    __test__ = False

    test: Test
    rules: Sequence[StabilityRule]
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class TubeAssessment:
    """A tube at ``at``: the verdict of its worst test and what follows from it.

    ``status``: fit | use_by | unknown | outside | expired | no_rule; ``used_share`` 1.0 is the end of its life.
    """

    specimen: Specimen
    at: datetime
    exposure: Exposure
    uses: Sequence[TestUse]
    status: str
    used_share: float | None
    use_by: datetime | None
    proposal: str
    options: tuple[str, ...]

    @property
    def deciding(self) -> TestUse | None:
        """The test that makes the verdict: the worst, and of equals the one most used up."""
        order = list(Status)
        judged = [(use, use.verdict) for use in self.uses if use.verdict is not None]
        if not judged:
            return None
        return max(judged, key=lambda pair: (order.index(pair[1].status), pair[1].used_share))[0]


def judged_at(specimen: Specimen, *, now: datetime) -> datetime:
    """Until when a tube's minutes count: its decision, or now."""
    return min(specimen.decided_at, now) if specimen.decided_at else now


def assess(
    session: Session,
    specimens: Iterable[Specimen],
    exposures: Mapping[int, Exposure],
    *,
    now: datetime,
    here_c: Mapping[int, float | None] | None = None,
    version: int | None = None,
) -> list[TubeAssessment]:
    """Rules, share of life used, verdict and proposal of each tube. ``exposures`` up to :func:`judged_at`.

    ``here_c``: where each is at that moment; None: nobody knows. ``version``: of the stability rules, as a decision
    was made under it; the newest where it is not given.
    """
    books: dict[datetime, RuleBook] = {}
    found = []
    for one in specimens:
        at = judged_at(one, now=now)
        book = books.get(at) or books.setdefault(at, RuleBook(session, at, version=version))
        storage_c = STORAGE_C.get(one.temp_class)
        temp_c = here_c.get(one.id, storage_c) if here_c is not None else storage_c
        found.append(_assess(book, one, exposures.get(one.id, Exposure()), temp_c))
    return found


def _assess(book: RuleBook, one: Specimen, exposure: Exposure, temp_c: float | None) -> TubeAssessment:
    by_code = {ordered.test_code: ordered.test for ordered in one.tests}
    verdicts = stability_service.verdicts(book, one, exposure, at=book.at, temp_c=temp_c)
    uses = [TestUse(by_code[code], rules, verdicts.get(code)) for code, rules in book.rules(one).items()]
    worst = stability_service.worst(list(verdicts.values()))
    return TubeAssessment(
        specimen=one,
        at=book.at,
        exposure=exposure,
        uses=uses,
        status=worst.value if worst else NO_RULE,
        used_share=max((v.used_share for v in verdicts.values()), default=None),
        use_by=stability.earliest(v.use_by for v in verdicts.values()),
        proposal=_proposal(one, worst),
        options=options(one),
    )


def _proposal(one: Specimen, worst: Status | None) -> str:
    if one.state in CLOSED or (one.state in DONE and worst in {Status.FIT, Status.USE_BY}):
        return DECIDED
    return PROPOSALS.get(worst, DECIDE) if worst and one.state not in DONE else DECIDE


def options(one: Specimen) -> tuple[str, ...]:
    """What may be signed for a tube as it stands."""
    found: list[str] = []
    if one.state == S.RECEIVED:
        found += ["accept", "concession", "reject", "recollect"]
    elif one.state == S.DELIVERED:
        found += ["reject", "recollect"]
    elif one.state in DONE:
        found.append("recall")
    if one.state in ALIVE and one.state != S.REGISTERED:
        if one.on_hold:
            found.append("release")
        elif one.state not in DONE:
            found.append("hold")
    return (*found, "note")


@dataclass(frozen=True, slots=True)
class Signing:
    """A decision about one tube. ``id`` is a UUID made where it was signed: the same again changes nothing."""

    id: str
    specimen_id: int
    disposition: str
    reason: str = ""


def sign(
    session: Session, signings: Sequence[Signing], *, comment: str, actor: User, scope: Scope, now: datetime
) -> list[tuple[Signing, Answer]]:
    """Record the dispositions as acts of ``actor``; each stands alone, the answers say what became of it.

    Raises Invalid without any, without a comment, or for an unknown disposition.
    """
    if not signings:
        raise Invalid("assessment_empty", field="tubes")
    if len(signings) > MAX_TUBES:
        raise Invalid("assessment_too_many", field="tubes", limit=MAX_TUBES)
    if not comment.strip():
        raise Invalid("field_missing", field="comment")
    answers = []
    for signing in signings:
        if _accepted_meanwhile(session, signing):
            refused = Answer(signing.id, ActStatus.REFUSED, "assessment_accepted", field="disposition")
            answers.append((signing, refused))
            continue
        acts = _acts(session, signing, comment.strip()[:1000], actor, now)
        last = custody.record(session, acts, actor=actor, scope=scope, now=now)
        wrong = [answer for answer in last if answer.status.value not in {"done", "duplicate"}]
        answers.append((signing, wrong[0] if wrong else last[-1]))
    return answers


def _accepted_meanwhile(session: Session, signing: Signing) -> bool:
    """The laboratory may reject what it accepted; who decides here saw a tube that nobody had decided about. Holds the
    tube, so that of two who sign at once the second sees what the first did."""
    if signing.disposition not in {"reject", "recollect"} or session.get(ActRow, signing.id) is not None:
        return False
    one = session.get(Specimen, signing.specimen_id, with_for_update=True, populate_existing=True)
    return one is not None and one.state in DONE


def _acts(session: Session, signing: Signing, comment: str, actor: User, now: datetime) -> list[Act]:
    if signing.disposition not in DISPOSITIONS:
        raise Invalid("disposition_unknown", field="disposition", disposition=signing.disposition[:40])
    subject = {"specimen_id": signing.specimen_id}

    def act(act_id: str, act_type: str, payload: dict[str, Any]) -> Act:
        known = session.get(ActRow, act_id)
        at = known.occurred_at if known else now  # a repetition is the same act, not a later one
        return Act(act_id, act_type, at, subject, payload, how="typed", site=actor.site_code)

    payloads: dict[str, tuple[str, dict[str, Any]]] = {
        "accept": ("accept", {}),
        "concession": ("accept", {"reason": signing.reason, "note": comment}),
        "reject": ("reject", {"reason": signing.reason, "note": comment}),
        "recollect": ("reject", {"reason": signing.reason, "note": comment}),  # and the site is asked for a new tube
        "hold": ("hold", {"reason": comment}),
        "release": ("release", {"reason": comment}),
        "recall": ("recall", {"reason": RECALLED_WARM, "note": comment}),
        "note": ("note", {"note": comment}),
    }
    act_type, payload = payloads[signing.disposition]
    found = [act(signing.id, act_type, payload)]
    freed = str(uuid.uuid5(uuid.UUID(signing.id), "release"))
    held = session.scalar(select(Specimen.on_hold).where(Specimen.id == signing.specimen_id))
    if act_type == "accept" and (held or session.get(ActRow, freed) is not None):
        found.insert(0, act(freed, "release", {"reason": comment}))
    return found
