"""The transport register as PDF: A4 landscape, in both languages, its head on every page, 'page x of y'.

Drawn line by line as the lines come: of a month of a whole network only the page in hand stands in memory as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO
from zoneinfo import ZoneInfo

from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from logistics.labels import fonts
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.register import (
    HEADS,
    TITLE,
    RegisterHead,
    RegisterLine,
    Signed,
    Sum,
    Words,
    both,
    covered,
    degrees,
    types_and_counts,
)
from logistics.labels.texts import LOCAL_ZONE, Translate, local_minute, local_short, same

PAGE_WIDTH, PAGE_HEIGHT = landscape(A4)
MARGIN_MM, TOP_MM, FOOT_MM = 8.0, 9.0, 12.0
WIDTHS_MM = (8, 27, 27, 27, 30, 9, 17, 24, 23, 23, 23, 43)
PAD_MM = 1.1
SIZE_PT, LEADING_PT = 7.6, 9.6
HEAD_PT, HEAD_EN_PT = 7.8, 5.9
SUM_LEADING_PT = 13
MOST_LINES = 40  # of one cell, a page full: more stands in the consignment's own record
TOTAL = "total-pages"
GREY, LINE = 0.35, 0.6


@dataclass(frozen=True, slots=True)
class Printed:
    """What went onto paper."""

    pages: int
    lines: int


def register_pdf(
    out: BinaryIO,
    head: RegisterHead,
    lines: Iterable[RegisterLine],
    words: Words,
    *,
    translate: Translate = same,
    zone: ZoneInfo = LOCAL_ZONE,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> Printed:
    """Write the register to ``out``. Raises Unavailable ``cjk_font_missing`` before the first line is read."""
    page = _Register(out, head, words, fonts.font_name(candidates), translate, zone)
    added = Sum()
    for line in lines:
        added.add(line)
        page.row(page.cells(line, added.consignments))
    page.end(added)
    return Printed(page.number, added.consignments)


class _Register:
    def __init__(
        self, out: BinaryIO, head: RegisterHead, words: Words, font: str, translate: Translate, zone: ZoneInfo
    ) -> None:
        self.head, self.words, self.font, self.t, self.zone = head, words, font, translate, zone
        self.canvas = Canvas(out, pagesize=(PAGE_WIDTH, PAGE_HEIGHT), pageCompression=1, invariant=1)
        self.canvas.setTitle(both(words, TITLE))
        self.canvas.setAuthor("Labrelay")
        self.lefts = [MARGIN_MM * mm + sum(WIDTHS_MM[:place]) * mm for place in range(len(WIDTHS_MM) + 1)]
        self.number = 0
        self.y = 0.0
        self._begin()

    # --- pages ---

    def _begin(self) -> None:
        self.number += 1
        canvas, top = self.canvas, PAGE_HEIGHT - TOP_MM * mm
        zh, en = self.words[TITLE]
        canvas.setFillGray(0)
        canvas.setFont(self.font, 15)
        canvas.drawString(self.lefts[0], top - 12, zh)
        if en != zh:
            at = self.lefts[0] + fonts.width_pt(zh, self.font, 15) + 8
            canvas.setFont(self.font, 9.5)
            canvas.setFillGray(GREY)
            canvas.drawString(at, top - 12, en)
        text = covered(self.head, self.words)
        canvas.setFillGray(0)
        canvas.setFont(self.font, 9)
        canvas.drawString(self.lefts[0], top - 27, fonts.fit(text, self.font, 9, self.lefts[-1] - self.lefts[0]))
        self.y = self._heads(top - 33)
        self._foot()

    def _heads(self, top: float) -> float:
        cells = []
        for place, text in enumerate(HEADS):
            room = WIDTHS_MM[place] * mm - 2 * PAD_MM * mm
            zh, en = self.words[text]
            rows = [(part, HEAD_PT) for part in wrapped(zh, self.font, HEAD_PT, room)]
            if en != zh:
                rows += [(part, HEAD_EN_PT) for part in wrapped(en, self.font, HEAD_EN_PT, room)]
            cells.append(rows)
        height = float(max(sum(size * 1.22 for _, size in rows) for rows in cells) + 2 * PAD_MM * mm)
        canvas = self.canvas
        canvas.setFillGray(0.93)
        canvas.rect(self.lefts[0], top - height, self.lefts[-1] - self.lefts[0], height, stroke=0, fill=1)
        canvas.setFillGray(0)
        for place, rows in enumerate(cells):
            y = top - PAD_MM * mm
            for part, size in rows:
                y -= size * 1.22
                canvas.setFont(self.font, size)
                canvas.drawString(self.lefts[place] + PAD_MM * mm, y + size * 0.2, part)
        self._frame(top, height, 0.8)
        return top - height

    def _foot(self) -> None:
        canvas = self.canvas
        y = FOOT_MM * mm - 5 * mm
        canvas.setFont(self.font, 7.5)
        canvas.setFillGray(GREY)
        canvas.drawString(
            self.lefts[0], y, both(self.words, "Electronic signatures: printed name, time and meaning as recorded.")
        )
        at = local_minute(self.head.printed_at, self.zone)
        printed = f"{both(self.words, 'Printed on and by')} {at}  {self.head.printed_by}"
        place = f"    {both(self.words, 'Page no.')} {self.number} / "
        right = self.lefts[-1] - 20
        canvas.drawRightString(right, y, printed + place)
        canvas.saveState()
        canvas.translate(right, y)
        canvas.doForm(TOTAL)  # written when the last page is known
        canvas.restoreState()
        canvas.setFillGray(0)

    def _frame(self, top: float, height: float, width: float) -> None:
        self.canvas.setStrokeGray(LINE)
        self.canvas.setLineWidth(0.4)
        for left in self.lefts:
            self.canvas.line(left, top, left, top - height)
        self.canvas.setLineWidth(width)
        self.canvas.line(self.lefts[0], top - height, self.lefts[-1], top - height)
        self.canvas.line(self.lefts[0], top, self.lefts[-1], top)

    # --- lines ---

    def cells(self, line: RegisterLine, number: int) -> list[list[str]]:
        """The text of each column, still unwrapped: one string a paragraph."""
        kinds = types_and_counts(line, "\n").split("\n") if line.specimens else []
        if line.item_count:
            kinds.append(self.t("Load items %(n)s") % {"n": line.item_count})
        events = list(line.events) or ["—"]
        if line.actions:
            events += [f"→ {action}" for action in line.actions]
        return [
            [str(number)],
            [line.number, line.box, line.temp_class, line.seal],
            [line.origin, local_minute(line.departed_at, self.zone)],
            [line.destination, local_minute(line.arrived_at, self.zone) or self.t("not yet")],
            kinds or ["—"],
            [str(line.tube_count)],
            self._damage(line),
            self._temps(line),
            self._signed(line.given),
            self._signed(line.courier) + self._courier_at_end(line),
            self._signed(line.received) or [self.t("not yet")],
            events,
        ]

    def _damage(self, line: RegisterLine) -> list[str]:
        counts = (
            ("Damaged %(n)s", line.damaged), ("Leaked %(n)s", line.leaked), ("Missing %(n)s", line.missing),
            ("Unexpected %(n)s", line.unexpected), ("Left behind %(n)s", line.left_behind),
        )  # fmt: skip
        return [self.t(text) % {"n": tubes} for text, tubes in counts if tubes] or [self.t("None reported")]

    def _temps(self, line: RegisterLine) -> list[str]:
        missing = self.t("not measured")
        rows = [
            self.t("Departure %(temp)s") % {"temp": degrees(line.depart_temp_c) or missing},
            self.t("Arrival %(temp)s") % {"temp": degrees(line.arrive_temp_c) or missing},
        ]
        if line.min_c is None or line.max_c is None:
            return [*rows, self.t("No readings")]
        span = self.t("%(low)s to %(high)s") % {"low": degrees(line.min_c), "high": degrees(line.max_c)}
        return [*rows, f"{self.t('En route')} {span}"]

    def _courier_at_end(self, line: RegisterLine) -> list[str]:
        """His second signature; without the name when it is the same man."""
        end = line.courier_at_end
        if not end.name or end.name != line.courier.name:
            return self._signed(end)
        return [f"→ {local_short(end.at, self.zone)} {end.meaning}".strip()]

    def _signed(self, one: Signed) -> list[str]:
        if not one.name:
            return []
        return [
            one.name,
            *([local_short(one.at, self.zone)] if one.at else []),
            *([one.meaning] if one.meaning else []),
        ]

    def row(self, cells: Sequence[Sequence[str]]) -> None:
        """One line of the table; on a new page when it does not fit this one."""
        wide = []
        for place, paragraphs in enumerate(cells):
            room = WIDTHS_MM[place] * mm - 2 * PAD_MM * mm
            rows = [part for text in paragraphs for part in wrapped(text, self.font, SIZE_PT, room)]
            if len(rows) > MOST_LINES:
                rows = [*rows[: MOST_LINES - 1], "…"]
            wide.append(rows)
        height = max(len(rows) for rows in wide) * LEADING_PT + 2 * PAD_MM * mm
        if self.y - height < FOOT_MM * mm:
            self.canvas.showPage()
            self._begin()
        self.canvas.setFillGray(0)
        self.canvas.setFont(self.font, SIZE_PT)
        for place, rows in enumerate(wide):
            y = self.y - PAD_MM * mm
            for text in rows:
                y -= LEADING_PT
                self.canvas.drawString(self.lefts[place] + PAD_MM * mm, y + 2.2, text)
        self._frame(self.y, height, 0.4)
        self.y -= height

    def end(self, added: Sum) -> None:
        """The sum under the last line, and the number of pages on every page."""
        lines = self._sum(added) if added.consignments else [both(self.words, "Nothing left in this period.")]
        if self.y - len(lines) * SUM_LEADING_PT < FOOT_MM * mm:
            self.canvas.showPage()
            self._begin()
        self.canvas.setFont(self.font, 9)
        self.canvas.setFillGray(0)
        for text in lines:
            self.y -= SUM_LEADING_PT
            room = self.lefts[-1] - self.lefts[0]
            self.canvas.drawString(self.lefts[0], self.y, fonts.fit(text, self.font, 9, room))
        self.canvas.showPage()
        self.canvas.beginForm(TOTAL, 0, -4, 30, 12)
        self.canvas.setFont(self.font, 7.5)
        self.canvas.setFillGray(GREY)
        self.canvas.drawString(0, 0, str(self.number))
        self.canvas.endForm()
        self.canvas.save()

    def _sum(self, added: Sum) -> list[str]:
        texts = []
        for language in (0, 1):
            head, count, wrong = (
                self.words[text][language]
                for text in (
                    "Sum of the register", "%(consignments)s consignments, %(tubes)s tubes",
                    "Damaged %(damaged)s, leaked %(leaked)s, missing %(missing)s",
                )
            )  # fmt: skip
            values = {
                "consignments": added.consignments, "tubes": added.tubes, "damaged": added.damaged,
                "leaked": added.leaked, "missing": added.missing,
            }  # fmt: skip
            texts.append(f"{head}: {count % values}; {wrong % values}")
        kinds = "、".join(f"{name} ×{tubes}" for name, tubes in sorted(added.counts.items(), key=lambda one: -one[1]))
        return [*dict.fromkeys(texts), *([kinds] if kinds else [])]


@lru_cache(maxsize=20_000)
def wrapped(text: str, font: str, size_pt: float, room_pt: float) -> tuple[str, ...]:
    """All of ``text`` on lines no wider than the room: broken after blanks and 、 where there is one, else anywhere."""
    out: list[str] = []
    here, width, seam = 0, 0.0, 0
    for place, character in enumerate(text):
        width += _advance(character, font, size_pt)
        if width > room_pt and place > here:
            cut = seam if seam > here else place
            out.append(text[here:cut].strip())
            here, seam = cut, 0
            width = sum(_advance(one, font, size_pt) for one in text[here : place + 1])
        if character in " 、，；;,：→":
            seam = place + 1
    rest = text[here:].strip()
    return (*out, rest) if rest or not out else tuple(out)


@lru_cache(maxsize=10_000)
def _advance(character: str, font: str, size_pt: float) -> float:
    return fonts.width_pt(character, font, size_pt)
