"""The regional transport register (区域检验标本转运登记表): what stands on it, before it is PDF or xlsx.

The fields are those of the paper form that townships keep: departure and arrival (time and place), box, kinds and
counts of specimens, damage or leak, box temperature, both parties with their signatures, events on the way and what was
done. No patient data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Words = Mapping[str, tuple[str, str]]
"""msgid → (Chinese, English): the register is printed in both, whoever prints it."""

TITLE = "Regional specimen transport register"
HEADS = (
    "No.", "Consignment, box and seal", "Departure: place and time", "Arrival: place and time",
    "Specimen types and counts", "Tube count", "Damage, leak or loss", "Box temperature °C",
    "Handed over by (signature)", "Courier (signature)", "Received by (signature)",
    "Events on the way and actions taken",
)  # fmt: skip
SHEET_HEADS = (
    "Day of departure", "Consignment number", "Box number", "Temperature class", "Seal number", "Departure: place",
    "Departure: time", "Arrival: place", "Arrival: time", "Specimen types and counts", "Tube count",
    "Load items (count)",
    "Damaged tubes", "Leaked tubes", "Missing tubes", "Unexpected tubes", "Left behind",
    "Box temperature at departure °C", "Box temperature at arrival °C", "Lowest on the way °C", "Highest on the way °C",
    "Handed over by", "Handover signed at", "Meaning of the handover", "Courier", "Courier at arrival", "Received by",
    "Receipt signed at", "Meaning of the receipt", "Events on the way", "Actions taken",
)  # fmt: skip
FOOT_TEXTS = (
    "Departure %(temp)s", "Arrival %(temp)s", "%(low)s to %(high)s", "En route", "not measured", "No readings",
    "None reported", "Damaged %(n)s", "Leaked %(n)s", "Missing %(n)s", "Unexpected %(n)s", "Left behind %(n)s",
    "Load items %(n)s", "not yet", "Sum of the register", "%(consignments)s consignments, %(tubes)s tubes",
    "Damaged %(damaged)s, leaked %(leaked)s, missing %(missing)s", "Period", "Printed on and by", "Page no.",
    "Nothing left in this period.", "Electronic signatures: printed name, time and meaning as recorded.",
)  # fmt: skip
TEXTS = (TITLE, *dict.fromkeys((*HEADS, *SHEET_HEADS, *FOOT_TEXTS)))


@dataclass(frozen=True, slots=True)
class Signed:
    """One party: printed name, time and meaning of the signature. No name: nobody has signed yet."""

    name: str = ""
    at: datetime | None = None
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One consignment on one leg. Names and words come in the reader's language, times in UTC."""

    number: str
    origin: str
    departed_at: datetime
    destination: str
    arrived_at: datetime | None
    box: str
    temp_class: str
    seal: str
    specimens: tuple[tuple[str, int], ...]
    tube_count: int
    item_count: int = 0
    damaged: int = 0
    leaked: int = 0
    missing: int = 0
    unexpected: int = 0
    left_behind: int = 0
    depart_temp_c: float | None = None
    arrive_temp_c: float | None = None
    min_c: float | None = None
    max_c: float | None = None
    given: Signed = Signed()
    courier: Signed = Signed()
    courier_at_end: Signed = Signed()
    received: Signed = Signed()
    events: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisterHead:
    """What the register covers and who printed it. ``facts``: (name, value) of what was chosen, e.g. the site.
    ``period`` is empty where no days were asked for."""

    period: str
    printed_at: datetime
    printed_by: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Sum:
    """Adds the lines up as they pass."""

    consignments: int = 0
    tubes: int = 0
    damaged: int = 0
    leaked: int = 0
    missing: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, line: RegisterLine) -> None:
        self.consignments += 1
        self.tubes += line.tube_count
        self.damaged += line.damaged
        self.leaked += line.leaked
        self.missing += line.missing
        for name, tubes in line.specimens:
            self.counts[name] = self.counts.get(name, 0) + tubes


def words_of(chinese: Callable[[str], str]) -> Words:
    """Both languages of every text; ``chinese`` translates into Chinese whatever the reader's language is."""
    return {text: (chinese(text), text) for text in TEXTS}


def covered(head: RegisterHead, words: Words) -> str:
    """The line under the title: the period, and what was chosen."""
    facts = [(both(words, "Period"), head.period), *head.facts]
    return "    ".join(f"{name}  {value}" for name, value in facts if value)


def both(words: Words, text: str, *, between: str = " ") -> str:
    """Chinese and English of a text, once where they are the same."""
    zh, en = words[text]
    return zh if zh == en else f"{zh}{between}{en}"


def degrees(temp_c: float | None) -> str:
    return "" if temp_c is None else f"{temp_c:.1f}".replace("-", "−")


def types_and_counts(line: RegisterLine, between: str = "、") -> str:
    """'全血 EDTA抗凝管 ×5、血清 ×3'"""
    return between.join(f"{name} ×{tubes}" for name, tubes in line.specimens)


__all__: Sequence[str] = (
    "HEADS", "SHEET_HEADS", "TEXTS", "TITLE", "RegisterHead", "RegisterLine", "Signed", "Sum", "Words", "both",
    "covered", "degrees", "types_and_counts", "words_of",
)  # fmt: skip
