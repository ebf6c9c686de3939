"""The rows of handovers and of givers' halves, as the events of their consignments say them.

The same makes the rows when an act is recorded and when ``labrelay rebuild`` replays the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from logistics.domain import handover
from logistics.domain.custody import Event
from logistics.domain.custody import EventType as E
from logistics.domain.handover import Given, Taken

PIN, APP = "pin", "app"
PASSING = frozenset({E.HANDED_OVER, E.HANDED_IN})


@dataclass(frozen=True, slots=True)
class Handover:
    """One handover of one consignment; names as the columns have them."""

    id: str
    consignment_number: str
    site_code: str | None
    giver: str
    giver_name: str
    taker: str
    taker_name: str
    method: str
    meaning: str
    occurred_at: datetime
    tube_count: int
    refused_count: int
    box_temp_c: float | None
    giver_signed_at: datetime | None
    taker_signed_at: datetime | None
    state: str = handover.SIGNED
    differs: str = ""
    organisation: str = ""
    witness: str = ""
    witness_name: str = ""

    def as_taken(self) -> Taken:
        return Taken(self.consignment_number, self.giver, self.taker, self.meaning, self.tube_count)


@dataclass(frozen=True, slots=True)
class Half:
    """The giver's half under one consignment; names as the columns have them."""

    act_id: str
    consignment_number: str
    handover_id: str
    username: str
    name: str
    other: str
    meaning: str
    site_code: str | None
    tube_count: int
    signed_at: datetime
    recorded_at: datetime
    state: str = handover.WAITING
    differs: str = ""

    def as_given(self) -> Given:
        return Given(
            self.act_id, self.consignment_number, self.username, self.other, self.meaning, self.tube_count,
            self.signed_at,
        )  # fmt: skip


def passed(event: Event) -> Handover:
    """The handover that an event of a consignment is, before any half is judged. A send-out names its contract; who
    took it has signed on our screen or on paper."""
    said = event.payload
    temp = said.get("box_temp_c")
    inside = "contract" not in said
    by_app = inside and said["method"] == APP
    return Handover(
        id=said["handover"],
        consignment_number=event.stream.partition(":")[2],
        site_code=event.site,
        giver=said["giver"],
        giver_name=said["giver_name"],
        taker=said["taker"],
        taker_name=said["taker_name"],
        method=said["method"],
        meaning=said["meaning"],
        occurred_at=event.occurred_at,
        tube_count=said["count"],
        refused_count=said["refused"],
        box_temp_c=float(temp) if temp is not None else None,
        giver_signed_at=event.occurred_at if inside and said["method"] == PIN else None,
        taker_signed_at=event.occurred_at if inside else None,
        state=handover.OUTSTANDING if by_app else handover.SIGNED,
        organisation=said.get("organisation", ""),
        witness=said.get("witness", ""),
        witness_name=said.get("witness_name", ""),
    )


def signed(event: Event) -> Half:
    """The giver's half that an event of a consignment is, before it is judged."""
    said = event.payload
    return Half(
        act_id=event.act_id,
        consignment_number=event.stream.partition(":")[2],
        handover_id=said["handover"],
        username=said["giver"],
        name=said["giver_name"],
        other=said["other"],
        meaning=said["meaning"],
        site_code=event.site,
        tube_count=said["count"],
        signed_at=event.occurred_at,
        recorded_at=event.recorded_at,
    )


@dataclass
class Signatures:
    """Every handover and every half, by their keys, unjudged until ``judged`` is asked."""

    handovers: dict[tuple[str, str], Handover] = field(default_factory=dict)
    halves: dict[tuple[str, str], Half] = field(default_factory=dict)

    def follow(self, event: Event) -> None:
        """After one event of a consignment."""
        if event.type in PASSING:
            row = passed(event)
            self.handovers[row.id, row.consignment_number] = row
        elif event.type is E.HANDOVER_SIGNED:
            half = signed(event)
            self.halves[half.act_id, half.consignment_number] = half

    def judged(self) -> Signatures:
        """With what the halves of each handover are worth beside each other."""
        halves: dict[str, list[Half]] = {}
        for half in self.halves.values():
            halves.setdefault(half.handover_id, []).append(half)
        rows: dict[str, list[Handover]] = {}
        for row in self.handovers.values():
            if row.id in halves and row.method == APP:
                rows.setdefault(row.id, []).append(row)
        found = Signatures(dict(self.handovers), dict(self.halves))
        for handover_id, some in halves.items():
            taken, given = judge(rows.get(handover_id, []), some)
            found.handovers.update({(one.id, one.consignment_number): one for one in taken})
            found.halves.update({(one.act_id, one.consignment_number): one for one in given})
        return found


def judge(rows: Sequence[Handover], halves: Sequence[Half]) -> tuple[list[Handover], list[Half]]:
    """All halves of one handover beside each other."""
    taken = handover.by_consignment(row.as_taken() for row in rows)
    given = [half.as_given() for half in halves]
    said_of = {row: handover.judge_taken(row.as_taken(), given) for row in rows}
    said_by = {half: handover.judge_given(half.as_given(), taken) for half in halves}
    return (
        [replace(row, state=one.state, differs=_listed(one.differs), giver_signed_at=one.signed_at)
         for row, one in said_of.items()],
        [replace(half, state=one.state, differs=_listed(one.differs)) for half, one in said_by.items()],
    )  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    return ",".join(names)
