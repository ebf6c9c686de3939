"""Recalls: one incident with all its tubes, open until each of them is in somebody's hands, disposed of or given up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain.access import Scope
from logistics.domain.transitions import RECALLABLE, State
from logistics.errors import Conflict
from logistics.models import Alert, Consignment, Reason, Site, Specimen, User
from logistics.services import alerts

KIND = "recall"
MAX_NOTE = 500


def key(recall: str) -> str:
    """The incident of a recall, by the UUID that its acts share."""
    return f"{KIND}:{recall}"


@dataclass(frozen=True, slots=True)
class Why:
    """What a recall says of itself. ``bring_to``: the site where its tubes are put aside."""

    recall: str
    reason: Reason
    note: str
    bring_to: str

    def facts(self) -> dict[str, Any]:
        return {"recall": self.recall, "reason": self.reason.code, "note": self.note, "bring_to": self.bring_to}


def tell(
    session: Session,
    why: Why,
    tubes: Sequence[Specimen],
    *,
    by: User,
    consignment: Consignment | None,
    occurred_at: datetime,
    now: datetime,
) -> None:
    """Raise the alert of the recall, or add these tubes to it."""
    found = session.scalars(select(Alert).where(Alert.incident_key == key(why.recall)).with_for_update()).first()
    if found is not None and found.state == "open":
        found.specimen_ids = sorted({*found.specimen_ids, *(tube.id for tube in tubes)})
        found.params = {**found.params, "tubes": len(found.specimen_ids), "left": len(found.specimen_ids)}
        found.consignment_number = found.box_code = None  # it is about more than one box
        found.updated_at = now
        next_number(session, alerts.VERSION)
        return
    alerts.raise_alert(
        session,
        kind=KIND,
        severity="critical",
        site_code=by.site_code or why.bring_to,
        origin_code=consignment.origin_code if consignment else None,
        box_code=consignment.box_code if consignment else None,
        consignment_number=consignment.number if consignment else None,
        incident_key=key(why.recall),
        params={
            "recall": why.recall,
            "reason": why.reason.code,
            "reason_zh": why.reason.zh,
            "reason_en": why.reason.en,
            "note": why.note,
            "destination": why.bring_to,
            "by": by.username,
            "tubes": len(tubes),
            "left": len(tubes),
        },
        specimen_ids=[tube.id for tube in tubes],
        occurred_at=occurred_at,
        now=now,
    )


def account(session: Session, specimen_ids: Iterable[int], *, now: datetime) -> None:
    """These tubes were found, disposed of or given up: what is left to find of their recalls; none left ends them."""
    wanted = set(specimen_ids)
    session.flush()
    for alert in session.scalars(select(Alert).where(Alert.kind == KIND, Alert.state == "open")):
        if wanted & set(alert.specimen_ids):
            _account(session, alert, now)


def sweep(session: Session, *, now: datetime) -> None:
    """The same for every open recall: an act that was kept for review may have been applied meanwhile."""
    for alert in session.scalars(select(Alert).where(Alert.kind == KIND, Alert.state == "open")):
        _account(session, alert, now)


def _account(session: Session, alert: Alert, now: datetime) -> None:
    query = select(func.count()).where(Specimen.id.in_(alert.specimen_ids), Specimen.state == State.RECALLED)
    left = session.scalar(query) or 0
    if left == alert.params.get("left"):
        return
    if left == 0:
        alerts.end_alert(session, alert.incident_key, now=now, params={"left": 0})
    else:
        alert.params, alert.updated_at = {**alert.params, "left": left}, now
        next_number(session, alerts.VERSION)


# --- reading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """A recall and where its tubes are. ``left`` are still to be found."""

    alert: Alert
    bring_to: Site | None
    by: User | None
    total: int
    left: int


def listing(session: Session, scope: Scope, *, limit: int = 100) -> list[Progress]:
    """The recalls of the laboratories in ``scope``, those under way first, then the newest."""
    query = select(Alert).where(Alert.kind == KIND)
    if not scope.everything:
        query = query.where(Alert.site_code.in_(sorted(scope.sites)))
    found = list(session.scalars(query.order_by(Alert.occurred_at.desc(), Alert.id.desc()).limit(limit)))
    found.sort(key=lambda alert: alert.state != "open")
    sites = _by(session, Site, Site.code, (alert.params.get("destination") for alert in found))
    people = _by(session, User, User.username, (alert.params.get("by") for alert in found))
    return [
        Progress(
            alert,
            sites.get(alert.params.get("destination", "")),
            people.get(alert.params.get("by", "")),
            len(alert.specimen_ids),
            int(alert.params.get("left", 0)),
        )
        for alert in found
    ]


def _by(session: Session, model: Any, column: Any, keys: Iterable[Any]) -> dict[str, Any]:
    wanted = sorted({value for value in keys if value})
    return {getattr(row, column.key): row for row in session.scalars(select(model).where(column.in_(wanted)))}


def require_recallable(specimen: Specimen) -> None:
    """Raises Conflict('recall_too_late') for a tube that is gone or refused already."""
    if specimen.state not in RECALLABLE:
        raise Conflict("recall_too_late", field="specimen", specimen=specimen.accession, state=specimen.state)
