"""Numbers printed ahead: issued once, used once, voided by a named person, and every one accounted for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.domain.access import Scope
from logistics.domain.acts import Status
from logistics.domain.numbers import Kind
from logistics.errors import Conflict, Invalid, LabrelayError, NotFound
from logistics.models import LabelBatch, LabelNumber, PrintEntry, Specimen
from logistics.queries import label_batches, print_log
from logistics.services import label_ledger, prints
from tests import factories as f
from tests.factories import START, TOWN

HERE = Scope("collector", TOWN, frozenset({TOWN}))
EVERYWHERE = Scope("auditor", None, everything=True)
ELSEWHERE = Scope("collector", f.OTHER_TOWN, frozenset({f.OTHER_TOWN}))


def make(session: Session, count: int = 5, *, kind: Kind = Kind.ACCESSION, site: str = TOWN) -> LabelBatch:
    batch = label_ledger.make_batch(
        session, kind=kind, count=count, stock="roll_50x30", symbology="code128", site=site, by="nurse", now=START
    )
    session.commit()
    return batch


def texts(session: Session, batch: LabelBatch) -> list[str]:
    return [row.number for row, _ in label_batches.numbers_of(session, batch.id)]


def code_of(error: LabrelayError) -> tuple[str, object]:
    return error.code, error.params.get("number", error.params.get("value"))


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def test_a_batch_continues_where_the_last_number_ended(world: Session) -> None:
    """Pre-printed numbers and numbers given at registration come from one counter: none is given twice."""
    first = make(world, 3)
    given_out = f.done(world, "nurse", f.act("register", {}, {"tests": ["CBC"]}))["specimen"]
    second = make(world, 2)
    all_of_them = [*texts(world, first), given_out, *texts(world, second)]
    assert [numbers.verify(text).serial for text in all_of_them] == [1, 2, 3, 4, 5, 6]
    assert (first.first_number, first.last_number, first.count) == (all_of_them[0], all_of_them[2], 3)
    assert [numbers.verify(text).kind for text in texts(world, make(world, 2, kind=Kind.SEAL))] == [Kind.SEAL] * 2


def test_boxes_numbered_by_hand_are_left_out(world: Session) -> None:
    """A box that carries the next number already does not get a second label of that number."""
    taken = numbers.issue(Kind.BOX, 2)
    world.add(f.Box(code=taken, temp_class="cold_2_8", home_code=TOWN))
    world.commit()
    assert texts(world, make(world, 3, kind=Kind.BOX)) == [numbers.issue(Kind.BOX, serial) for serial in (1, 3, 4)]


@pytest.mark.both_databases
def test_a_label_is_used_once(world: Session) -> None:
    """Registering by scan uses the number up; a second tube with it is refused by code, also at another site."""
    batch = make(world)
    number = texts(world, batch)[1]
    typed = f"{number[:6].lower()}-{number[6:]}"
    result = f.done(world, "nurse", f.act("register", {"specimen": typed}, {"tests": ["CBC"]}))
    assert result["specimen"] == number
    again = f.do(world, "nurse", f.act("register", {"specimen": number}, {"tests": ["CBC"]}))
    assert (again.status, again.code) == (Status.REFUSED, "specimen_exists")
    other = f.do(world, "nurse2", f.act("register", {"specimen": number}, {"tests": ["CBC"]}))
    assert (other.status, other.code, other.params["number"]) == (Status.REFUSED, "label_number_used", number)
    row = world.get_one(LabelNumber, number, populate_existing=True)
    assert (row.state, row.state_by, row.state_at) == ("used", "nurse", START)
    assert label_batches.batch(world, HERE, batch.id).counts == {"printed": 4, "used": 1, "voided": 0}


@pytest.mark.parametrize("step", ["register", "collect"])
def test_labels_that_are_not_what_they_seem(world: Session, step: str) -> None:
    """Voided, never printed, mistyped, another site's: each is refused with its own code naming the number."""
    mine, theirs = texts(world, make(world)), texts(world, make(world, 1, site=f.OTHER_TOWN))
    label_ledger.void(world, HERE, [mine[0]], reason="misprinted", by="nurse", now=START)
    world.commit()
    unknown = numbers.issue(Kind.ACCESSION, 4711, START.date())
    wrong = unknown[:-1] + ("A" if unknown[-1] != "A" else "B")
    expected = {mine[0]: "label_number_voided", unknown: "label_number_unknown", wrong: "number_check_failed"}
    if step == "register":
        expected[theirs[0]] = "label_number_elsewhere"
    else:
        expected[mine[1]] = "label_number_unregistered"
    for number, code in expected.items():
        payload = {"tests": ["CBC"]} if step == "register" else {}
        answer = f.do(world, "nurse", f.act(step, {"specimen": number}, payload))
        assert (answer.status, answer.code) == (Status.REFUSED, code), number
        assert number in answer.params.values()
    assert not world.scalars(select(Specimen)).all()


def test_voiding_names_who_why_and_when(world: Session) -> None:
    """All or none; a used label cannot be voided; a voided one stays so."""
    batch = make(world)
    one, two, three = texts(world, batch)[:3]
    f.done(world, "nurse", f.act("register", {"specimen": one}, {"tests": ["CBC"]}))
    with pytest.raises(Conflict) as used:
        label_ledger.void(world, HERE, [two, one], reason="damaged", by="nurse", now=START)
    world.rollback()
    assert code_of(used.value) == ("label_number_used", one)
    rows = label_ledger.void(world, HERE, [two, three, two], reason="damaged", by="nurse", now=START, note="torn")
    assert [(row.number, row.state, row.state_by, row.state_at, row.reason, row.note) for row in rows] == [
        (number, "voided", "nurse", START, "damaged", "torn") for number in (two, three)
    ]
    with pytest.raises(Conflict, match="label_number_voided"):
        label_ledger.void(world, HERE, [two], reason="damaged", by="nurse", now=START)
    with pytest.raises(Invalid, match="label_void_reason"):
        label_ledger.void(world, HERE, [two], reason="because", by="nurse", now=START)


def test_another_sites_batch_does_not_exist(world: Session) -> None:
    """Neither is it shown, nor can its labels be voided."""
    batch = make(world)
    with pytest.raises(NotFound, match="label_batch_unknown"):
        label_batches.batch(world, ELSEWHERE, batch.id)
    with pytest.raises(NotFound, match="label_number_unknown"):
        label_ledger.void(world, ELSEWHERE, texts(world, batch)[:1], reason="lost", by="nurse2", now=START)
    assert label_batches.batches(world, ELSEWHERE) == ([], 0)


def test_what_is_unaccounted_for_reads_as_ranges(world: Session) -> None:
    """Numbers that are neither used nor voided, put together where they follow one another."""
    batch = make(world, 6)
    numbers_there = texts(world, batch)
    f.done(world, "nurse", f.act("register", {"specimen": numbers_there[2]}, {"tests": ["CBC"]}))
    left = label_batches.unaccounted(world, batch.id)
    assert left == [number for number in numbers_there if number != numbers_there[2]]
    assert label_batches.runs(left) == [
        (numbers_there[0], numbers_there[1], 2), (numbers_there[3], numbers_there[5], 3),
    ]  # fmt: skip


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["use", "void"])), max_size=12))
def test_every_number_is_accounted_for(world: Session, steps: list[tuple[int, str]]) -> None:
    """Whatever is done in whatever order: printed + used + voided = count, and nothing leaves its final state."""
    batch = make(world, 6)
    expected = dict.fromkeys(texts(world, batch), "printed")
    for place, step in steps:
        number = list(expected)[place]
        try:
            if step == "use":
                label_ledger.take(world, number, site=TOWN, by="nurse", now=START)
            else:
                label_ledger.void(world, HERE, [number], reason="lost", by="nurse", now=START)
            assert expected[number] == "printed"
            expected[number] = "used" if step == "use" else "voided"
        except Conflict as error:
            told = error.code
        else:
            continue
        assert told == f"label_number_{expected[number]}"
    world.flush()
    assert {row.number: row.state for row, _ in label_batches.numbers_of(world, batch.id)} == expected
    counts = label_batches.batch(world, HERE, batch.id).counts
    assert sum(counts.values()) == batch.count
    world.rollback()


def test_seals_follow_the_ledger_where_it_knows_them(world: Session) -> None:
    """A pre-printed seal is used up when a box is sealed, a voided one refused; bought seals are taken as they are."""
    seals = texts(world, make(world, 2, kind=Kind.SEAL))
    label_ledger.void(world, HERE, seals[:1], reason="damaged", by="nurse", now=START)
    f.collected(world, "2611220047")
    number = f.done(world, "nurse", f.act("pack", {"specimen": "2611220047", "box": "BX-C"}))["consignment"]
    wrong = seals[1][:-1] + ("A" if seals[1][-1] != "A" else "B")
    for seal, code in ((seals[0], "label_number_voided"), (wrong, "number_check_failed")):
        assert f.do(world, "nurse", f.act("seal", {"consignment": number}, {"seal": seal})).code == code
    f.done(world, "nurse", f.act("seal", {"consignment": number}, {"seal": seals[1]}))
    assert world.get_one(LabelNumber, seals[1], populate_existing=True).state == "used"


@pytest.mark.parametrize("count", [0, 1001])
def test_batches_have_a_size(world: Session, count: int) -> None:
    """Nothing, or more than a roll, is refused."""
    with pytest.raises(Invalid, match="label_batch_size"):
        make(world, count)
    with pytest.raises(Invalid, match="label_kind_not_ahead"):
        make(world, 1, kind=Kind.CONSIGNMENT)


def test_the_print_log_keeps_why_again(world: Session) -> None:
    """Who, when, what, how many copies, which version, and the reason of a reprint; without one it is refused."""
    prints.log(world, "manifest", "CN1", by="nurse", now=START, version=1)
    prints.log(world, "manifest", "CN1", by="nurse", now=START, version=2, copies=2, reason="damaged", site=TOWN)
    world.flush()
    rows, total = print_log.entries(world, EVERYWHERE, subject="CN1")
    assert [(one.version, one.copies, one.reason, one.username) for one in rows] == [
        (2, 2, "damaged", "nurse"), (1, 1, "", "nurse"),
    ]  # fmt: skip
    assert total == 2
    assert print_log.entries(world, HERE, subject="CN1")[1] == 1  # the first was printed at no site
    assert print_log.entries(world, ELSEWHERE) == ([], 0)
    assert print_log.entries(world, EVERYWHERE, subject="CN1%") == ([], 0)
    assert prints.checked_reason("damaged", again=True) == "damaged"
    with pytest.raises(Invalid, match="reprint_reason_missing"):
        prints.checked_reason("", again=True)
    assert world.scalars(select(PrintEntry.output)).all() == ["pdf", "pdf"]
