"""Numbers that we issue ourselves, each with a check character after ISO/IEC 7064, MOD 37,36.

Numbers of a laboratory system are kept as they are; ours exist where there is none:

    accession    LR yymmdd nnnnn c     LR260302000471…   a tube's label
    consignment  CN yymmdd nnnn c      a transport manifest
    box          BX nnnn c             a transport box
    seal         SL nnnnnnn c          a numbered seal
    item         IT yymmdd nnnn c      a load item that goes down with the round

``c`` is one of 0-9 A-Z and covers everything before it, the letters included. The system finds every wrong
character and 199 of 200 exchanges of two neighbours, which are the slips people make when they type a label.
(MOD 37-2 would find every exchange, but its check character may be ``*``, which keyboards and scanners set to
letters and digits cannot give.)
Dates are local (Asia/Shanghai); the serial comes from whoever keeps the counter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from logistics.errors import Invalid

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MODULUS = len(ALPHABET)
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u3000]+")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_LOOKALIKES = str.maketrans("OIL", "011")


class Kind(StrEnum):
    """What a number of ours names."""

    ACCESSION = "accession"
    CONSIGNMENT = "consignment"
    BOX = "box"
    SEAL = "seal"
    ITEM = "item"


@dataclass(frozen=True, slots=True)
class _Format:
    prefix: str
    dated: bool
    serial_digits: int

    @property
    def digits(self) -> int:
        return self.serial_digits + (6 if self.dated else 0)

    @property
    def length(self) -> int:
        return len(self.prefix) + self.digits + 1


FORMATS = {
    Kind.ACCESSION: _Format("LR", dated=True, serial_digits=5),
    Kind.CONSIGNMENT: _Format("CN", dated=True, serial_digits=4),
    Kind.BOX: _Format("BX", dated=False, serial_digits=4),
    Kind.SEAL: _Format("SL", dated=False, serial_digits=7),
    Kind.ITEM: _Format("IT", dated=True, serial_digits=4),
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number of ours, taken apart. ``issued_on`` is the local date, None where the kind carries none."""

    text: str
    kind: Kind
    issued_on: date | None
    serial: int


def check_character(body: str) -> str:
    """The ISO/IEC 7064 MOD 37,36 check character of ``body`` (0-9, A-Z)."""
    product = _MODULUS
    for character in body:
        total = (product + _value(character)) % _MODULUS or _MODULUS
        product = total * 2 % (_MODULUS + 1)
    return ALPHABET[(_MODULUS + 1 - product) % _MODULUS]


def checks(text: str) -> bool:
    """True when the last character of ``text`` is the check character of what stands before it."""
    return len(text) > 1 and all(c in ALPHABET for c in text) and check_character(text[:-1]) == text[-1]


def issue(kind: Kind, serial: int, on: date | None = None) -> str:
    """The number for ``serial`` (1 …, per local day where the kind is dated).

    Raises Invalid ``number_serial_out_of_range`` or ``number_date_missing``.
    """
    form = FORMATS[kind]
    highest = 10**form.serial_digits - 1
    if not 1 <= serial <= highest:
        raise Invalid("number_serial_out_of_range", field="serial", low=1, high=highest)
    if form.dated and on is None:
        raise Invalid("number_date_missing", field="on")
    day = f"{on:%y%m%d}" if form.dated else ""
    body = f"{form.prefix}{day}{serial:0{form.serial_digits}d}"
    return body + check_character(body)


def normalise(text: str) -> str:
    """As it would stand on the label: upper case, half width, without blanks and hyphens.

    Letters O, I and L where only a digit can stand (before the check character) are read as 0 and 1.
    """
    plain = _SEPARATORS.sub("", text.translate(_FULL_WIDTH)).upper()
    form = _format_of(plain)
    if form is None:
        return plain
    start, end = len(form.prefix), len(plain) - 1
    return plain[:start] + plain[start:end].translate(_LOOKALIKES) + plain[end:]


def recognise(text: str) -> Kind | None:
    """The kind whose prefix and length ``text`` has, right or wrong; None: not a number of ours."""
    plain = normalise(text)
    form = _format_of(plain)
    if form is None or not plain[len(form.prefix) : -1].isdecimal():
        return None
    return next(kind for kind, known in FORMATS.items() if known is form)


def verify(text: str, kind: Kind | None = None) -> Number:
    """Take a typed or scanned number apart.

    Raises Invalid ``number_not_ours`` (no such form, or not of ``kind``) or ``number_check_failed``.
    """
    plain = normalise(text)
    found = recognise(plain)
    if found is None or (kind is not None and found is not kind):
        raise Invalid("number_not_ours", field="number", value=text[:40])
    if not checks(plain):
        raise Invalid("number_check_failed", field="number", value=plain)
    form = FORMATS[found]
    digits = plain[len(form.prefix) : -1]
    issued_on = _day(digits[:6], plain) if form.dated else None
    return Number(plain, found, issued_on, int(digits[-form.serial_digits :]))


def grouped(text: str) -> str:
    """For reading aloud: ``CN260302 0047K`` → prefix and date, then serial and check character."""
    plain = normalise(text)
    form = _format_of(plain)
    if form is None:
        return plain
    head = len(form.prefix) + (6 if form.dated else 0)
    return f"{plain[:head]} {plain[head:]}"


def _format_of(plain: str) -> _Format | None:
    for form in FORMATS.values():
        if plain.startswith(form.prefix) and len(plain) == form.length:
            return form
    return None


def _value(character: str) -> int:
    value = ALPHABET.find(character)
    if value < 0 or not character:
        raise Invalid("number_character", field="number", value=character)
    return value


def _day(digits: str, number: str) -> date:
    try:
        return date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        raise Invalid("number_not_ours", field="number", value=number) from None
