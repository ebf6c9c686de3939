"""Specimen labels: the accession number as a code and in clear, and what a nurse checks by eye."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reportlab.lib.units import mm

from logistics.errors import Invalid
from logistics.labels import codes, fonts, pdf
from logistics.labels.codes import checked
from logistics.labels.drawing import Bars, Block, Drawing, Square
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.sizes import CODE128, STOCKS, SYMBOLOGIES, Stock
from logistics.labels.texts import Translate, priority_text, same

TEMP_SHORT = {"cold_2_8": "2–8 °C", "ambient_15_25": "15–25 °C", "frozen": "≤ −20 °C"}
MARGIN_MM = 1.5
DESIGN_MM = (50.0, 30.0)  # the sizes below are for this label; larger ones scale up
LEAST_SCALE = 0.8  # smaller print is not read: fewer lines instead
LEAST_BARS_MM = 7.0
SMALL_PT, LINE_PT, NUMBER_PT = 6.8, 8.6, 10.0


@dataclass(frozen=True, slots=True)
class SpecimenLabel:
    """What stands on one tube. Names of site, specimen type, container and tests come in the label's language.

    ``patient_ref`` is the masked name (张*) with at most sex and age; a full name is refused. A number printed ahead
    has nothing but its site.
    """

    accession: str
    site: str
    specimen_type: str = ""
    container: str = ""
    tests: tuple[str, ...] = ()
    priority: str = "routine"
    temp_class: str = ""
    patient_ref: str = ""


def specimen_labels(
    labels: Sequence[SpecimenLabel],
    *,
    stock: Stock = STOCKS["roll_50x30"],
    symbology: str = "",
    translate: Translate = same,
    skip: int = 0,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> bytes:
    """A PDF with one label each, in order; on a sheet the first ``skip`` places stay empty (used before).

    Raises Invalid ``label_none``, ``label_code_unprintable``, ``label_code_too_long``, ``label_name_not_masked``,
    ``label_symbology_unknown``; Unavailable ``cjk_font_missing``.
    """
    candidates = tuple(candidates)
    drawings = specimen_drawings(labels, stock=stock, symbology=symbology, translate=translate, candidates=candidates)
    return pdf.pages(drawings, stock, fonts.font_name(candidates), skip=skip)


def specimen_drawings(
    labels: Sequence[SpecimenLabel],
    *,
    stock: Stock,
    symbology: str = "",
    translate: Translate = same,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> list[Drawing]:
    """The same before it is PDF or ZPL; ``symbology`` empty: the stock's own."""
    font = fonts.font_name(candidates)
    wanted = symbology or stock.symbology
    if wanted not in SYMBOLOGIES:
        raise Invalid("label_symbology_unknown", field="symbology", value=wanted[:20])
    for label in labels:
        _check(label)
    return [_Layout(label, stock, font, translate).draw(wanted) for label in labels]


def _check(label: SpecimenLabel) -> None:
    checked(label.accession, field="accession")
    name = label.patient_ref.split()[0] if label.patient_ref.split() else ""
    if len(name) > 1 and "*" not in name:
        raise Invalid("label_name_not_masked", field="patient_ref")


class _Layout:
    """Number at the foot, code above it (or at the left), lines of text in what room is left."""

    def __init__(self, label: SpecimenLabel, stock: Stock, font: str, translate: Translate) -> None:
        self.label, self.stock, self.font, self.t = label, stock, font, translate
        self.scale = max(LEAST_SCALE, min(stock.width_mm / DESIGN_MM[0], stock.height_mm / DESIGN_MM[1]))
        self.margin = max(MARGIN_MM * min(1.0, self.scale), stock.rim_mm)
        self.small, self.line_mm = SMALL_PT * self.scale, LINE_PT * self.scale / mm
        self.drawing = Drawing(stock.width_mm, stock.height_mm)

    def draw(self, symbology: str) -> Drawing:
        width = self.stock.width_mm - 2 * self.margin
        number_pt = fonts.size_to_fit(
            self.label.accession, self.font, NUMBER_PT * self.scale, 4.5 * self.scale, width * mm
        )
        self.drawing.text(
            self.stock.width_mm / 2, self.margin + number_pt * 0.15 / mm, self.label.accession, number_pt, "middle"
        )
        foot = self.margin + number_pt * 1.12 / mm
        top = self.stock.height_mm - self.margin
        if symbology == CODE128:
            self._bars(foot, top)
        else:
            self._square(symbology, foot, top)
        return self.drawing

    def _bars(self, foot: float, top: float) -> None:
        accession = self.label.accession
        module = codes.module_mm(accession, self.stock, self.stock.width_mm - 2 * self.stock.rim_mm)
        lines = max(0, int((top - foot - LEAST_BARS_MM * self.scale) / self.line_mm))
        below = self._lines(self.margin, self.stock.width_mm - self.margin, top, min(lines, 4))
        bars_top = below - 1.2 * self.scale if lines else top
        width = codes.width_modules(accession) * module
        left = _on_dot((self.stock.width_mm - width) / 2, self.stock)
        self.drawing.items.append(Bars(accession, left, foot, bars_top - foot, module))

    def _square(self, symbology: str, foot: float, top: float) -> None:
        accession = self.label.accession
        room = min(top - foot, self.stock.width_mm * 0.46)
        cell = codes.cell_mm(symbology, accession, self.stock, room)
        cells = len(codes.matrix(symbology, accession))
        quiet = max(codes.QUIET_LEAST, codes.QUIET_CELLS[symbology]) * cell
        side = cells * cell
        left = _on_dot(max(quiet, self.margin), self.stock)
        bottom = _on_dot(foot + max(quiet, (top - foot - side) / 2), self.stock)
        self.drawing.items.append(Square(symbology, accession, left, bottom, cell, side))
        right_of = left + side + quiet
        lines = int((top - foot) / self.line_mm)
        self._lines(right_of, self.stock.width_mm - self.margin, top, lines, narrow=True)

    def _lines(self, left: float, right: float, top: float, most: int, *, narrow: bool = False) -> float:
        """Text from ``top`` down; the most telling first. Returns where it ends."""
        y = top
        room = (right - left) * mm
        for number, (text, corner) in enumerate(self._texts(room, most, narrow)[:most]):
            y -= self.line_mm if number else self.small / mm
            kept = room
            if corner:
                kept -= self._corner(corner, right, y, mark=number == 0)
            self.drawing.text(left, y, fonts.fit(text, self.font, self.small, kept), self.small)
        return y

    def _texts(self, room: float, most: int, narrow: bool) -> list[tuple[str, str]]:
        """(line, what stands at its right end) in order; empty ones left out."""
        label = self.label
        mark = "" if label.priority == "routine" else priority_text(label.priority, self.t)
        temp = TEMP_SHORT.get(label.temp_class, "")
        kind = " ".join(part for part in (label.specimen_type, label.container) if part)
        if narrow:  # beside the code: what shares a line on a wide label gets one of its own
            rows = [(label.site, mark), (label.patient_ref, ""), (kind, ""), (temp, "")]
        else:
            rows = [(label.site, mark), ("  ".join(part for part in (label.patient_ref, kind) if part), temp)]
        rows = [row for row in rows if any(row)]
        left = most - len(rows)
        if left > 0:
            names = fonts.enumeration(label.tests)
            rows += [
                (part, "") for part in fonts.wrap(names, self.font, self.small, room, min(left, 3 if narrow else 2))
            ]
        return rows

    def _corner(self, text: str, right: float, y: float, *, mark: bool) -> float:
        """At the right edge; an urgency white on black, so that it is seen on a thermal label. Returns its width."""
        size = self.small * 1.1 if mark else self.small
        width = fonts.width_pt(text, self.font, size)
        if not mark:
            self.drawing.text(right, y, text, size, "right")
            return width + 4
        width += size * 0.7
        self.drawing.items.append(Block(right - width / mm, y - size * 0.28 / mm, width / mm, size * 1.3 / mm))
        self.drawing.text(right - width / 2 / mm, y, text, size, "middle", white=True)
        return width + 2


def _on_dot(value_mm: float, stock: Stock) -> float:
    """The nearest whole dot: a code must begin on one."""
    return round(value_mm / stock.dot_mm) * stock.dot_mm
