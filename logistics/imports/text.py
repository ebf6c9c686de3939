"""Making text from laboratory systems comparable, without losing what it says.

Full NFKC would turn ``10⁹`` into ``109`` and ``Ⅷ`` into ``VIII``; here only full-width ASCII, odd blanks and invisible
characters change.
"""

from __future__ import annotations

import re

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_BLANKS = dict.fromkeys((0x3000, 0x00A0, 0x2002, 0x2003, 0x2009, 0x202F, 0x0009, 0x000A, 0x000D), " ")
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_INVISIBLE = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD, 0x200E, 0x200F, *_CONTROLS))
_TABLE: dict[int, str | int | None] = {**_FULL_WIDTH, **_INVISIBLE, **_BLANKS}
_RUNS = re.compile(" {2,}")
_KEY_NOISE = re.compile(r"[\s_\-./\\:,;()\[\]{}<>*#'\"·、，。：；（）【】《》“”]+")
_LIST_MARKS = re.compile(r"[,;|\n\r、，；｜]+|\s{2,}")


def clean(text: str) -> str:
    """Half-width ASCII, single plain blanks, nothing invisible, no blanks at the ends. Idempotent.

    Control characters go too: they could steer a terminal, turn text round, or be refused by the database.
    """
    return _RUNS.sub(" ", text.translate(_TABLE)).strip()


def key(text: str) -> str:
    """For comparing names: ``clean``, lower case, without blanks and punctuation."""
    return _KEY_NOISE.sub("", clean(text).casefold())


def identifier(text: str) -> str:
    """A number or code as it stands on a label: ``clean``, without blanks and a leading apostrophe of Excel."""
    return clean(text).lstrip("'‘’`").replace(" ", "")


def items(text: str) -> tuple[str, ...]:
    """The parts of a cell that lists several things with , ; 、 | or line ends; each once, in order.

    A plus sign stays: 粪便常规+隐血 is one test, 肝功能+肾功能 are two, and only who knows the tests can tell.
    """
    parts = (clean(part) for part in _LIST_MARKS.split(text))
    return tuple(dict.fromkeys(part for part in parts if part))


def mask_name(name: str) -> str:
    """A name so masked that it may be shown: 张三 → 张*, 欧阳修文 → 欧***, John Smith → J*** S****.

    The first letter of each word stays; a name that is masked already is left alone. A single character gives
    ``*``.
    """
    plain = clean(name)
    if "*" in plain:
        return plain
    words = [word for word in re.split(r"[\s·•]+", plain) if word]
    return " ".join(word[0] + "*" * (len(word) - 1) if len(word) > 1 else "*" for word in words)
