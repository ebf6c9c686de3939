"""An assessment on one A4 page: facts, the curve with its band, the tubes by what became of them, the signature.

Knows no framework and no language: what is printed comes ready in words. Tubes that were judged and disposed of alike
share a row, so that also a full box fits on the page.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepInFrame, LongTable, SimpleDocTemplate, Spacer, Table
from reportlab.platypus.paragraph import Paragraph

from logistics.labels import fonts
from logistics.labels.fonts import CANDIDATES, FontFile

MARGIN_MM = 14.0
CHART_MM = 46.0
GREY = colors.Color(0.35, 0.35, 0.35)
LINE = colors.Color(0.6, 0.6, 0.6)
BAND = colors.Color(0.86, 0.94, 0.88)
EPISODE = colors.Color(0.98, 0.88, 0.86)
_WIDTHS_MM = (52.0, 44.0, 20.0, 28.0, 38.0)


@dataclass(frozen=True, slots=True)
class Group:
    """Tubes that stand alike: their numbers, the rule quoted, the share of life used, the verdict, what was signed."""

    numbers: tuple[str, ...]
    rule: str
    used: str
    verdict: str
    decision: str


@dataclass(frozen=True, slots=True)
class Curve:
    """(seconds, °C) points, None where nothing is known; ``band`` in °C; ``span`` is the episode in seconds."""

    points: tuple[tuple[float, float | None], ...]
    band: tuple[float, float] | None
    span: tuple[float, float]
    start: str
    end: str
    caption: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on the page, in the language of the paper. Tube numbers, never a patient's name."""

    title: str
    facts: tuple[tuple[str, str], ...]
    curve: Curve | None
    heads: tuple[str, str, str, str, str]
    groups: tuple[Group, ...]
    comment: tuple[str, str]
    changed: str
    signature: tuple[str, ...]
    foot: str


def assessment_pdf(sheet: Sheet, *, candidates: Iterable[FontFile] = CANDIDATES) -> bytes:
    """The page as PDF. Raises Unavailable ``cjk_font_missing``."""
    font = fonts.font_name(candidates)
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, title=sheet.title, author="Labrelay", invariant=1,
        leftMargin=MARGIN_MM * mm, rightMargin=MARGIN_MM * mm, topMargin=12 * mm, bottomMargin=16 * mm,
    )  # fmt: skip

    def foot(canvas: Canvas, _document: Any) -> None:
        canvas.setFont(font, 8)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN_MM * mm, 9 * mm, sheet.foot)

    width, height = document.width, document.height - 12
    # One page whatever happens: what is too much is drawn smaller, never left out.
    whole = KeepInFrame(width, height, _story(sheet, font), mode="shrink")
    document.build([whole], onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def _story(sheet: Sheet, font: str) -> list[Flowable]:
    cell = ParagraphStyle("cell", fontName=font, fontSize=9, leading=11.5, wordWrap="CJK")
    small = ParagraphStyle("small", parent=cell, fontSize=8, leading=10)
    head = ParagraphStyle("head", parent=small, textColor=GREY)
    title = ParagraphStyle("title", parent=cell, fontSize=16, leading=21)
    story: list[Flowable] = [Paragraph(_plain(sheet.title), title), Spacer(1, 2 * mm), _facts(sheet.facts, cell, head)]
    if sheet.changed:
        loud = ParagraphStyle("loud", parent=cell, textColor=colors.Color(0.7, 0.1, 0.1), fontSize=10, leading=13)
        story += [Spacer(1, 2 * mm), Paragraph(_plain(sheet.changed), loud)]
    if sheet.curve is not None:
        story += [Spacer(1, 2 * mm), _Chart(sheet.curve, font)]
    story += [Spacer(1, 3 * mm), _groups(sheet, small, head), Spacer(1, 3 * mm)]
    story.append(Paragraph(f"{_plain(sheet.comment[0])}: {_plain(sheet.comment[1])}", cell))
    story.append(Spacer(1, 4 * mm))
    story += [Paragraph(_plain(line), cell) for line in sheet.signature]
    return story


def _facts(facts: Sequence[tuple[str, str]], cell: ParagraphStyle, head: ParagraphStyle) -> Table:
    pairs = [facts[begin : begin + 2] for begin in range(0, len(facts), 2)]
    rows = []
    for pair in pairs:
        row: list[Any] = []
        for name, value in pair:
            row += [Paragraph(_plain(name), head), Paragraph(_plain(value), cell)]
        rows.append(row + [""] * (4 - len(row)))
    table = Table(rows, colWidths=[26 * mm, 65 * mm, 26 * mm, 65 * mm])
    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("TOPPADDING", (0, 0), (-1, -1), 1)]
    table.setStyle([*style, ("LEFTPADDING", (0, 0), (-1, -1), 0)])
    return table


def _groups(sheet: Sheet, cell: ParagraphStyle, head: ParagraphStyle) -> LongTable:
    rows: list[list[Any]] = [[Paragraph(_plain(name), head) for name in sheet.heads]]
    for group in sheet.groups:
        numbers = f"{len(group.numbers)} × " if len(group.numbers) > 1 else ""
        texts = (numbers + " ".join(group.numbers), group.rule, group.used, group.verdict, group.decision)
        rows.append([Paragraph(_plain(text), cell) for text in texts])
    table = LongTable(rows, colWidths=[width * mm for width in _WIDTHS_MM], repeatRows=1)
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, 0), 0.9, colors.black),
            ("LINEBELOW", (0, 1), (-1, -1), 0.35, LINE),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ]
    )
    return table


class _Chart(Flowable):  # type: ignore[misc,unused-ignore]
    """The temperatures with the band and the episode shaded; a gap is never joined."""

    def __init__(self, curve: Curve, font: str) -> None:
        super().__init__()
        self.curve, self.font = curve, font
        self.width, self.height = (A4[0] - 2 * MARGIN_MM * mm), CHART_MM * mm

    def draw(self) -> None:
        curve, canvas = self.curve, self.canv
        temps = [temp for _, temp in curve.points if temp is not None]
        times = [at for at, _ in curve.points]
        low = min([*temps, *(curve.band or ())], default=0.0) - 1
        high = max([*temps, *(curve.band or ())], default=1.0) + 1
        left, bottom, right, top = 12 * mm, 7 * mm, self.width, self.height - 5 * mm
        first, last = min(times, default=0.0), max(times, default=1.0)

        def x(at: float) -> float:
            return float(left) + float(right - left) * (min(max(at, first), last) - first) / max(last - first, 1.0)

        def y(temp: float) -> float:
            return float(bottom) + float(top - bottom) * (temp - low) / (high - low)

        canvas.setFillColor(EPISODE)
        canvas.rect(x(curve.span[0]), bottom, x(curve.span[1]) - x(curve.span[0]), top - bottom, stroke=0, fill=1)
        if curve.band is not None:
            canvas.setFillColor(BAND)
            canvas.rect(left, y(curve.band[0]), right - left, y(curve.band[1]) - y(curve.band[0]), stroke=0, fill=1)
        canvas.setStrokeColor(LINE)
        canvas.rect(left, bottom, right - left, top - bottom, stroke=1, fill=0)
        canvas.setFillColor(GREY)
        canvas.setFont(self.font, 7.5)
        for temp in sorted({*(curve.band or ()), *([max(temps), min(temps)] if temps else [])}):
            canvas.drawRightString(left - 1.5 * mm, y(temp) - 2, f"{temp:.1f}")
        canvas.drawString(left, 2 * mm, curve.start)
        canvas.drawRightString(right, 2 * mm, curve.end)
        canvas.drawString(left, top + 1.5 * mm, curve.caption)
        canvas.setStrokeColor(colors.black)
        canvas.setLineWidth(0.9)
        before: tuple[float, float] | None = None
        for at, temp in curve.points:
            here = None if temp is None else (x(at), y(temp))
            if before is not None and here is not None:
                canvas.line(*before, *here)
            before = here


def _plain(text: str) -> str:
    """Keep what users typed from being read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
