"""The pure rules that prove the log unedited: hash trees, and naming what was done to a stream."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from logistics.domain import merkle
from logistics.domain.custody import GENESIS, Event, EventType, canonical_text, chain_hash
from logistics.domain.diagnosis import Finding, Kind, Stored, Witness, diagnose

START = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
STEP = timedelta(hours=9)  # so that streams of a few events lie over several days
TYPES = st.sampled_from(list(EventType))


def stored(event: Event, position: int, previous: str) -> Stored:
    text = canonical_text(event)
    return Stored(
        position, event.stream, event.seq, event.type.value, event.act_id, event.occurred_at, event.recorded_at,
        event.actor, event.site, text, previous, chain_hash(previous, text),
    )  # fmt: skip


def stream_of(name: str, types: list[EventType], start: int = 0) -> list[Stored]:
    """A chain as the application writes it, an event every nine hours."""
    rows, head = [], GENESIS
    for seq, kind in enumerate(types, start=1):
        at = START + STEP * seq
        rows.append(
            stored(Event(name, seq, kind, f"act-{name}-{seq}", at, at, "nurse", site="TOWN"), start + seq, head)
        )
        head = rows[-1].hash
    return rows


def witnesses(rows: list[Stored]) -> tuple[list[Witness], datetime]:
    """The heads that the daily digests hold, but for the last day, and the end of the last signed day."""
    last_day = rows[-1].recorded_at.date()
    heads = {row.recorded_at.date(): row for row in rows if row.recorded_at.date() < last_day}
    until = datetime(last_day.year, last_day.month, last_day.day, tzinfo=UTC)
    return [Witness(row.seq, row.hash, f"digest {day}") for day, row in heads.items()], until


def look(rows: list[Stored], whole: list[Stored]) -> list[Finding]:
    heads, until = witnesses(whole)
    subject = (whole[-1].seq, whole[-1].hash)
    return diagnose(whole[0].stream, rows, heads, subject=subject, signed_until=until)


streams = st.lists(TYPES, min_size=2, max_size=9).map(lambda types: stream_of("specimen:7", types))


@given(streams)
def test_a_stream_as_it_was_written_holds(rows: list[Stored]) -> None:
    """Nothing is named where nothing was done, whatever the order the rows are read in."""
    assert look(rows, rows) == []
    assert look(rows[::-1], rows) == []


@given(streams, st.data())
def test_an_edit_is_named(rows: list[Stored], data: st.DataObject) -> None:
    """Any column of any event changed, hashes and copies included: that event is named, and none far from it."""
    place = data.draw(st.integers(0, len(rows) - 1))
    row = rows[place]
    other = data.draw(st.sampled_from(sorted(set(EventType) - {row.type})))
    later = row.occurred_at + timedelta(seconds=1)
    changed = data.draw(
        st.sampled_from(
            [
                replace(row, text=row.text.replace(f'"{row.type}"', f'"{other.value}"')),
                replace(row, text=row.text.replace("TOWN", "TOWN2")),
                replace(row, hash=hashlib.sha256(b"x").hexdigest()),
                replace(row, previous=hashlib.sha256(b"y").hexdigest()),
                replace(row, type=other.value), replace(row, act_id="another"), replace(row, actor="courier"),
                replace(row, site=None), replace(row, occurred_at=later), replace(row, recorded_at=later),
            ]
        )
    )  # fmt: skip
    found = look([*rows[:place], changed, *rows[place + 1 :]], rows)
    assert [one.seq for one in found if one.kind is Kind.EDITED] == [row.seq], found


@given(streams, st.data())
def test_an_edit_with_its_hash_made_anew_is_named(rows: list[Stored], data: st.DataObject) -> None:
    """The intruder makes the hash of the edited event fit: the event after it, or a witness, gives it away."""
    place = data.draw(st.integers(0, len(rows) - 1))
    text = rows[place].text.replace('"nurse"', '"nursf"')
    row = replace(rows[place], text=text, hash=chain_hash(rows[place].previous, text), actor="nursf")
    found = look([*rows[:place], row, *rows[place + 1 :]], rows)
    assert row.seq in [one.seq for one in found] or any(
        one.kind is Kind.REWRITTEN and one.seq <= row.seq for one in found
    ), found


@given(streams, st.data())
def test_a_chain_made_anew_from_an_event_on_is_named(rows: list[Stored], data: st.DataObject) -> None:
    """The intruder makes the whole rest of the chain fit and the subject's row too: the signed heads still know."""
    heads, until = witnesses(rows)
    if not heads:
        return
    place = data.draw(st.integers(0, max(one.seq for one in heads) - 1))
    forged, head = rows[:place], rows[place].previous
    for row in rows[place:]:
        text = row.text.replace('"nurse"', '"nursf"')
        forged.append(replace(row, text=text, previous=head, hash=chain_hash(head, text), actor="nursf"))
        head = forged[-1].hash
    found = diagnose("specimen:7", forged, heads, subject=(forged[-1].seq, head), signed_until=until)
    first = found[0]
    assert first.kind is Kind.REWRITTEN
    assert first.seq <= place + 1


@given(streams, st.data())
def test_a_removal_is_named(rows: list[Stored], data: st.DataObject) -> None:
    """Any event taken out, the last one too: exactly that number is named as removed."""
    place = data.draw(st.integers(0, len(rows) - 1))
    found = look(rows[:place] + rows[place + 1 :], rows)
    assert [(one.seq, one.kind) for one in found] == [(place + 1, Kind.REMOVED)]


@given(streams)
def test_a_removed_stream_is_named(rows: list[Stored]) -> None:
    """All events of a stream gone: every number that a witness knows is named."""
    found = look([], rows)
    assert {one.kind for one in found} == {Kind.REMOVED}
    assert [one.seq for one in found] == [row.seq for row in rows]


@given(streams, TYPES, st.data())
def test_an_insertion_is_named(rows: list[Stored], kind: EventType, data: st.DataObject) -> None:
    """An event put in, well formed, at any number up to one past the end: that number is named."""
    seq = data.draw(st.integers(1, len(rows) + 1))
    previous = rows[seq - 2].hash if seq > 1 else GENESIS
    at = START + STEP * seq + timedelta(minutes=1)
    extra = stored(Event("specimen:7", seq, kind, "forged", at, at, "nurse", site="TOWN"), 10_000, previous)
    found = look([*rows, extra], rows)
    assert [(one.seq, one.kind) for one in found] == [(seq, Kind.INSERTED)]


@given(streams, st.data())
def test_a_swap_is_named(rows: list[Stored], data: st.DataObject) -> None:
    """Two events exchange their numbers: both are named."""
    first, second = sorted(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True)))
    swapped = list(rows)
    swapped[first] = replace(rows[first], seq=second + 1)
    swapped[second] = replace(rows[second], seq=first + 1)
    found = look(swapped, rows)
    assert {first + 1, second + 1} <= {one.seq for one in found if one.kind is Kind.REORDERED}


leaf_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


@given(leaf_lists, st.data())
def test_proofs_hold_and_forged_ones_do_not(leaves: list[bytes], data: st.DataObject) -> None:
    """Every leaf has a proof; with another leaf, place, size, path or root it is none."""
    place = data.draw(st.integers(0, len(leaves) - 1))
    path, root, size = merkle.proof(leaves, place), merkle.root(leaves), len(leaves)
    assert merkle.holds(leaves[place], place, size, path, root)
    other = hashlib.sha256(leaves[place]).digest()
    assert not merkle.holds(other, place, size, path, root)
    assert not merkle.holds(leaves[place], place, size, path, other)
    assert not merkle.holds(leaves[place], place, size, [*path, other], root)
    assert not merkle.holds(leaves[place], size, size, path, root)
    if path:
        assert not merkle.holds(leaves[place], place, size, path[:-1], root)
        broken = data.draw(st.integers(0, len(path) - 1))
        assert not merkle.holds(leaves[place], place, size, [*path[:broken], other, *path[broken + 1 :]], root)


@given(leaf_lists)
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    """The recursive definition of the standard gives the same root."""

    def mth(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return part[0]
        split = 1 << ((len(part) - 1).bit_length() - 1)
        return hashlib.sha256(b"\1" + mth(part[:split]) + mth(part[split:])).digest()

    assert merkle.root(leaves) == mth(leaves)
