"""Excursions as people see them: several rules broken by one warm box are one episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.domain.cold_chain import Stay
from logistics.errors import NotFound
from logistics.models import Alert, Box, Consignment, Specimen
from logistics.services.cold_chain import exposed_stays
from telemetry import assess
from telemetry.models import ExcursionChange, ExcursionRow

LOOK_BACK = timedelta(days=30)
MAX_ROWS = 1000


@dataclass
class Episode:
    """Overlapping excursions of one box, the rule that was broken first in front."""

    rows: list[ExcursionRow]
    box: Box | None = None
    alerts: list[Alert] = field(default_factory=list)
    signed: ExcursionChange | None = None  # the newest assessment

    @property
    def id(self) -> int:
        return self.rows[0].id

    @property
    def box_code(self) -> str:
        return self.rows[0].box_code

    @property
    def start(self) -> datetime:
        return min(row.start_at for row in self.rows)

    @property
    def end(self) -> datetime | None:
        ends = [row.end_at for row in self.rows]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def side(self) -> str:
        return self.rows[0].side

    @property
    def extreme_c(self) -> float:
        if self.side == "upper":
            return max(row.max_c for row in self.rows)
        return min(row.min_c for row in self.rows)

    @property
    def limit_c(self) -> float:
        return self.rows[0].limit_c

    @property
    def minutes(self) -> float:
        return max(row.minutes for row in self.rows)

    @property
    def severity(self) -> str:
        return "critical" if any(row.kind == "immediate" for row in self.rows) else "warning"

    @property
    def rules(self) -> list[str]:
        return list(dict.fromkeys(row.rule_code for row in self.rows))

    @property
    def tubes(self) -> int:
        return len({tube for alert in self.alerts for tube in alert.specimen_ids})

    @property
    def stage(self) -> str:
        """assessed | acknowledged | open (nobody has answered yet) | empty (no tube was in the box)."""
        if self.signed is not None:
            return "assessed"
        if not self.alerts:
            return "empty"
        return "acknowledged" if all(alert.acknowledged_at for alert in self.alerts) else "open"


def grouped(rows: Sequence[ExcursionRow]) -> list[Episode]:
    """Rows of the same box that overlap, as episodes; the newest first."""
    found: list[Episode] = []
    for row in sorted(rows, key=lambda one: (one.box_code, one.side, one.start_at, one.id)):
        last = found[-1] if found else None
        joins = last is not None and (last.box_code, last.side) == (row.box_code, row.side)
        if last is not None and joins and (last.end is None or row.start_at <= last.end):
            last.rows.append(row)
        else:
            found.append(Episode([row]))
    return sorted(found, key=lambda one: one.start, reverse=True)


def listing(session: Session, scope: Scope, *, now: datetime, since: datetime | None = None) -> list[Episode]:
    """Episodes of the boxes that concern the sites in ``scope``: at home there, or with tubes for them."""
    query = (
        select(ExcursionRow)
        .where(ExcursionRow.state != "withdrawn", ExcursionRow.start_at >= (since or now - LOOK_BACK))
        .order_by(ExcursionRow.start_at.desc())
        .limit(MAX_ROWS)
    )
    if not scope.everything:
        sites = sorted(scope.sites)
        query = query.where(
            or_(
                ExcursionRow.box_code.in_(select(Box.code).where(Box.home_code.in_(sites))),
                ExcursionRow.box_code.in_(
                    select(Alert.box_code).where(Alert.kind == "excursion", Alert.site_code.in_(sites))
                ),
            )
        )
    return _filled(session, grouped(session.scalars(query).all()), scope)


def one(session: Session, scope: Scope, excursion_id: int, *, now: datetime) -> Episode:
    """The episode that an excursion belongs to. Raises NotFound('excursion_unknown')."""
    row = session.get(ExcursionRow, excursion_id)
    if row is None:
        raise NotFound("excursion_unknown", field="excursion")
    for episode in listing(session, scope, now=now, since=row.start_at - timedelta(days=1)):
        if any(other.id == row.id for other in episode.rows):
            return episode
    raise NotFound("excursion_unknown", field="excursion")


def _filled(session: Session, episodes: list[Episode], scope: Scope) -> list[Episode]:
    codes = {episode.box_code for episode in episodes}
    boxes = {box.code: box for box in session.scalars(select(Box).where(Box.code.in_(codes)))}
    told = session.scalars(select(Alert).where(Alert.kind == "excursion", Alert.box_code.in_(codes))).all()
    signed = {
        change.excursion_id: change
        for change in assess.changes(session, (row.id for episode in episodes for row in episode.rows))
        if change.what == assess.ASSESSED
    }
    for episode in episodes:
        episode.box = boxes.get(episode.box_code)
        episode.alerts = [
            alert
            for alert in told
            if alert.box_code == episode.box_code
            and scope.covers(alert.site_code, alert.origin_code)
            and _meet(episode, alert)
        ]
        found = [signed[row.id] for row in episode.rows if row.id in signed]
        episode.signed = max(found, key=lambda change: change.at, default=None)
    return episodes


def _meet(episode: Episode, alert: Alert) -> bool:
    ended = alert.ended_at
    return (ended is None or ended >= episode.start) and (episode.end is None or alert.occurred_at <= episode.end)


@dataclass(frozen=True, slots=True)
class Exposed:
    """The tubes of an episode by consignment, and when each was in which box."""

    loads: dict[Consignment, list[Specimen]]
    stays: dict[int, list[Stay]]

    @property
    def tubes(self) -> list[Specimen]:
        return [tube for tubes in self.loads.values() for tube in tubes]


def exposed(session: Session, episode: Episode, scope: Scope) -> Exposed:
    """The tubes that were in the box, as far as they concern the scope."""
    inside = exposed_stays(session, episode.box_code, episode.start, episode.end)
    ids = {one for tubes in inside.values() for one in tubes}
    rows = session.scalars(select(Specimen).where(Specimen.id.in_(ids)).order_by(Specimen.accession)).all()
    mine = [one for one in rows if scope.covers(one.destination_code, one.collecting_site_code, one.location_code)]
    loads = {load: [one for one in mine if one.id in tubes] for load, tubes in inside.items()}
    return Exposed(
        {load: tubes for load, tubes in loads.items() if tubes},
        {one: times for tubes in inside.values() for one, times in tubes.items()},
    )


def of_tubes(session: Session, episode: Episode, specimen_ids: Sequence[int], scope: Scope) -> dict[int, list[Alert]]:
    """The other excursions that each of the tubes was in: a tube may have been warm twice, in two boxes."""
    wanted = set(specimen_ids)
    own = {alert.id for alert in episode.alerts}
    found: dict[int, list[Alert]] = {}
    since = episode.start - LOOK_BACK
    query = select(Alert).where(Alert.kind == "excursion", Alert.occurred_at >= since).order_by(Alert.occurred_at)
    for alert in session.scalars(query):
        if alert.id in own or not scope.covers(alert.site_code, alert.origin_code) or alert.params.get("withdrawn"):
            continue
        for tube in wanted & set(alert.specimen_ids):
            found.setdefault(tube, []).append(alert)
    return found
