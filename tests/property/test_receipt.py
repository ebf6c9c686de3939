"""Receipt reconciles in any order of events: every line of a manifest has one outcome, and nothing is counted twice."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.acts import Act, Status
from logistics.models import Alert, Box, Consignment, ConsignmentLine, Nonconformity, Specimen
from logistics.services import custody, network, rebuild
from logistics.services.desk import OUT_OF_BOX
from tests import factories as f

HERE = ("scanned", "ticked", "unexpected")
OUTCOMES = {"expected", "scanned", "ticked", "missing", "found", "late", "unexpected", "elsewhere"}
TUBES = ("A1", "A2", "A3", "B1", "B2", "STRAY", "NOBODY")
AT = f.START + timedelta(hours=2)
GOOD = {"condition": "good"}

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ("scan", "scan", "tick", "missing", "missing", "unexpected", "found", "origin", "away", "together", "close")
        ),
        st.sampled_from(TUBES),
        st.sampled_from(("A", "B")),
    ),
    min_size=4,
    max_size=14,
)


@pytest.fixture
def boxes(session: Session) -> dict[str, str]:
    """Two boxes of the township at the county laboratory, A with three tubes and B with two; a tube at home."""
    f.world(session)
    session.add(Box(code="BX-C2", temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    session.commit()
    numbers = {}
    for name, box, tubes in (("A", "BX-C", ("A1", "A2", "A3")), ("B", "BX-C2", ("B1", "B2"))):
        for tube in tubes:
            f.collected(session, tube)
            numbers[name] = f.done(session, "nurse", f.act("pack", {"specimen": tube, "box": box}))["consignment"]
        number = numbers[name]
        f.done(session, "nurse", f.act("seal", {"consignment": number}, {"seal": f"SL-{name}-1"}))
        pin = {"pin": f.PIN, "count": len(tubes)}
        subject = {"consignment": number}
        f.done(session, "courier", f.act("hand_over", subject, {"other": "nurse", **pin}, site=f.TOWN))
        f.done(session, "courier", f.act("arrive", {}, site=f.COUNTY, at=AT))
        f.done(session, "receiver", f.act("hand_over", subject, {"other": "courier", **pin}, site=f.COUNTY, at=AT))
    f.collected(session, "STRAY")
    return numbers


class Desk:
    """Sends acts of the people concerned in one transaction that is rolled back at the end of an example."""

    def __init__(self, session: Session) -> None:
        self.session = session
        people = {name: f.user(session, name) for name in ("receiver", "receiver2", "nurse")}
        self.people = {name: (user, network.scope_of_user(session, user)) for name, user in people.items()}

    def send(
        self, who: str, kind: str, subject: dict[str, Any], payload: dict[str, Any], how: str = "scanned"
    ) -> Status:
        user, scope = self.people[who]
        act = Act(str(uuid.uuid4()), kind, AT, subject, payload, how=how)
        return custody.record(self.session, [act], actor=user, scope=scope, now=AT)[0].status

    def step(self, step: tuple[str, str, str], numbers: dict[str, str]) -> None:
        kind, tube, box = step
        on_it = {"consignment": numbers[box], "specimen": tube}
        known = self.session.scalars(select(Specimen).where(Specimen.accession == tube)).first()
        by_id = {"specimen": tube, "specimen_id": known.id if known else 1}
        acts: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {
            "scan": ("receiver", "receive", on_it, GOOD, "scanned"),
            "tick": ("receiver", "receive", on_it, GOOD, "ticked"),
            "missing": ("receiver", "declare_missing", on_it, {}, "typed"),
            "unexpected": ("receiver", "receive_unexpected", on_it, {**GOOD, "reason": "UNEXPECTED"}, "scanned"),
            "found": ("receiver", "found", by_id, GOOD, "scanned"),
            "origin": ("nurse", "found", by_id, {}, "scanned"),
            "away": ("receiver2", "found", by_id, GOOD, "scanned"),
            "together": ("receiver", "receive_all", {"consignment": numbers[box]},
                         {**GOOD, "specimens": self.ids(("A1", "B1", "B2"))}, "scanned"),
            "close": ("receiver", "close_receipt", {"consignment": numbers[box]}, {}, "typed"),
        }  # fmt: skip
        status = self.send(*acts[kind])
        assert status in {Status.DONE, Status.REFUSED}
        if kind == "close":
            assert (status is Status.DONE) <= ("expected" not in self.outcomes(numbers[box]).values())

    def ids(self, accessions: tuple[str, ...]) -> list[int]:
        return list(self.session.scalars(select(Specimen.id).where(Specimen.accession.in_(accessions))))

    def outcomes(self, number: str) -> dict[int, str]:
        query = select(ConsignmentLine).where(ConsignmentLine.consignment_number == number)
        return {line.specimen_id: line.outcome for line in self.session.scalars(query)}

    def check(self, numbers: dict[str, str]) -> None:
        """What must hold whatever was done."""
        self.session.flush()
        here: Counter[int] = Counter()
        for number, sent in ((numbers["A"], ("A1", "A2", "A3")), (numbers["B"], ("B1", "B2"))):
            lines = self.outcomes(number)
            consignment = self.session.get_one(Consignment, number)
            assert set(lines.values()) <= OUTCOMES
            assert set(self.ids(sent)) <= set(lines)  # no line of the manifest is lost
            assert consignment.tube_count == sum(outcome not in OUT_OF_BOX for outcome in lines.values())
            assert consignment.state != "closed" or "expected" not in lines.values()
            here.update(tube for tube, outcome in lines.items() if outcome in HERE)
            missed = {tube for tube, outcome in lines.items() if outcome == "missing"}
            searched = select(Specimen.id).where(Specimen.missing_from == number)
            assert set(self.session.scalars(searched)) == missed
            alert = self.session.scalars(select(Alert).where(Alert.incident_key == f"missing:{number}")).first()
            assert (alert is not None and alert.state == "open") == bool(missed)
            open_findings = select(Nonconformity.specimen_id).where(
                Nonconformity.reason_code == "TUBE_MISSING",
                Nonconformity.consignment_number == number,
                Nonconformity.disposition == "",
            )
            assert Counter(self.session.scalars(open_findings)) == Counter(missed)
        assert all(times == 1 for times in here.values())  # a tube is received in one box


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps)
def test_every_line_of_a_manifest_has_one_outcome_in_any_order(
    session: Session, boxes: dict[str, str], todo: list[tuple[str, str, str]]
) -> None:
    """Scanned, ticked, missing, unexpected, found here, elsewhere or at home, in any order and repetition: the counts
    reconcile after every step, a receipt closes only when no line is open, and the log alone gives the same."""
    session.rollback()  # what an example that failed left behind
    desk = Desk(session)
    for step in todo:
        desk.step(step, boxes)
        desk.check(boxes)
    for name, number in boxes.items():  # whatever is left open can always be accounted for, and then it closes
        for tube, outcome in desk.outcomes(number).items():
            if outcome == "expected":
                subject = {"consignment": number, "specimen": str(tube), "specimen_id": tube}
                assert desk.send("receiver", "declare_missing", subject, {}) is Status.DONE
        desk.send("receiver", "close_receipt", {"consignment": number}, {})
        assert session.get_one(Consignment, number).state == "closed", name
    desk.check(boxes)
    assert rebuild.differences(session) == []
    session.rollback()
