"""Labels of transport boxes (with the UN3373 mark) and of consignments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reportlab.lib.units import mm

from logistics.errors import Invalid
from logistics.labels import codes, fonts, pdf, un3373
from logistics.labels.codes import checked
from logistics.labels.drawing import Block, Drawing, Square
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.sizes import BOX, CONSIGNMENT, DATAMATRIX, QR, STOCKS, Stock
from logistics.labels.texts import Translate, priority_text, same, temp_class_text

BOX_CODE_MM = 30.0
EDGE_MM = 4.0


@dataclass(frozen=True, slots=True)
class BoxLabel:
    """The label of a transport box; P650 wants the name and telephone of a responsible person on it."""

    code: str
    temp_class: str
    owner: str
    responsible: str
    phone: str


@dataclass(frozen=True, slots=True)
class ConsignmentLabel:
    """The label of one consignment: what is scanned at each handover."""

    number: str
    origin: str
    destination: str
    temp_class: str
    box: str = ""
    tube_count: int | None = None
    priority: str = "routine"


def box_labels(
    labels: Sequence[BoxLabel],
    *,
    stock: Stock = STOCKS["roll_100x150"],
    symbology: str = QR,
    translate: Translate = same,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> bytes:
    """A PDF with the box labels, the UN3373 mark in the sizes of the standard.

    Raises Invalid ``label_none``, ``label_stock_too_small``, ``label_code_unprintable``; Unavailable
    ``cjk_font_missing``.
    """
    candidates = tuple(candidates)
    drawings = box_drawings(labels, stock=stock, symbology=symbology, translate=translate, candidates=candidates)
    return pdf.pages(drawings, stock, fonts.font_name(candidates))


def box_drawings(
    labels: Sequence[BoxLabel],
    *,
    stock: Stock,
    symbology: str = QR,
    translate: Translate = same,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> list[Drawing]:
    """The same before it is PDF or ZPL. The code is a square one: QR unless DataMatrix is asked for."""
    if not stock.fits(BOX):
        raise Invalid("label_stock_too_small", field="stock", value=stock.shown)
    font = fonts.font_name(candidates)
    for label in labels:
        checked(label.code, field="code")
    return [_box(label, stock, _square(symbology), font, translate) for label in labels]


def consignment_labels(
    labels: Sequence[ConsignmentLabel],
    *,
    stock: Stock = STOCKS["roll_60x40"],
    symbology: str = QR,
    translate: Translate = same,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> bytes:
    """A PDF with the code of each consignment number. Raises as ``box_labels`` does."""
    candidates = tuple(candidates)
    drawings = consignment_drawings(
        labels, stock=stock, symbology=symbology, translate=translate, candidates=candidates
    )
    return pdf.pages(drawings, stock, fonts.font_name(candidates))


def consignment_drawings(
    labels: Sequence[ConsignmentLabel],
    *,
    stock: Stock,
    symbology: str = QR,
    translate: Translate = same,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> list[Drawing]:
    """The same before it is PDF or ZPL."""
    if not stock.fits(CONSIGNMENT):
        raise Invalid("label_stock_small", field="stock", value=stock.shown)
    font = fonts.font_name(candidates)
    for label in labels:
        checked(label.number, field="number")
    return [_consignment(label, stock, _square(symbology), font, translate) for label in labels]


def _square(symbology: str) -> str:
    return DATAMATRIX if symbology == DATAMATRIX else QR


def _add_code(
    drawing: Drawing, stock: Stock, symbology: str, text: str, left_mm: float, top_mm: float, room_mm: float
) -> None:
    """The code in a square of ``room_mm`` whose upper left corner is given, its quiet zone inside."""
    cell = codes.cell_mm(symbology, text, stock, room_mm)
    side = len(codes.matrix(symbology, text)) * cell
    left = round((left_mm + (room_mm - side) / 2) / stock.dot_mm) * stock.dot_mm
    bottom = round((top_mm - room_mm + (room_mm - side) / 2) / stock.dot_mm) * stock.dot_mm
    drawing.items.append(Square(symbology, text, left, bottom, cell, side))


def _box(label: BoxLabel, stock: Stock, symbology: str, font: str, translate: Translate) -> Drawing:
    drawing = Drawing(stock.width_mm, stock.height_mm)
    width = min(stock.width_mm, 130.0)
    edge = max(EDGE_MM, stock.rim_mm)
    left = (stock.width_mm - width) / 2 + edge
    right = stock.width_mm - left
    top = stock.height_mm - edge
    text_left = left + BOX_CODE_MM + 3
    room = (right - text_left) * mm
    _add_code(drawing, stock, symbology, label.code, left - 2, top, BOX_CODE_MM)
    drawing.text(text_left, top - 5, fonts.fit(translate("Transport box"), font, 9, room), 9)
    drawing.text(text_left, top - 16, label.code, fonts.size_to_fit(label.code, font, 30, 14, room))
    drawing.text(text_left, top - 21.5, fonts.fit(label.owner, font, 9, room), 9)
    _temp_band(drawing, temp_class_text(label.temp_class, translate), font, text_left, top - 30, right)

    centre, half = stock.width_mm / 2, un3373.diagonal_mm() / 2
    diamond_y = top - BOX_CODE_MM - 1 - half
    un3373.add_diamond(drawing, centre_x_mm=centre, centre_y_mm=diamond_y)
    name_y = un3373.add_proper_name(drawing, centre_x_mm=centre, top_mm=diamond_y - half - 0.5)
    own = translate(un3373.PROPER_NAME)
    if own != un3373.PROPER_NAME:
        drawing.text(centre, name_y - 4.9, own, 10, "middle")
    foot = f"{translate('Responsible person')}  {label.responsible}  {label.phone}"
    foot_pt = fonts.size_to_fit(foot, font, 11, 7, (right - left) * mm)
    drawing.text(centre, max(2.5, stock.rim_mm + 1, name_y - 11), foot, foot_pt, "middle")
    return drawing


def _temp_band(drawing: Drawing, text: str, font: str, left_mm: float, bottom_mm: float, right_mm: float) -> None:
    """The temperature class, white on black over the whole width."""
    drawing.items.append(Block(left_mm, bottom_mm, right_mm - left_mm, 7))
    size = fonts.size_to_fit(text, font, 14, 7, (right_mm - left_mm - 2) * mm)
    drawing.text((left_mm + right_mm) / 2, bottom_mm + 3.5 - size * 0.36 / mm, text, size, "middle", white=True)


def _consignment(label: ConsignmentLabel, stock: Stock, symbology: str, font: str, translate: Translate) -> Drawing:
    drawing = Drawing(stock.width_mm, stock.height_mm)
    scale = min(stock.width_mm / 60, stock.height_mm / 40)
    margin = max(2 * scale, stock.rim_mm)
    side_mm = 25 * scale
    top = stock.height_mm - margin
    _add_code(drawing, stock, symbology, label.number, margin / 2, top, side_mm)
    x = margin + side_mm
    room = (stock.width_mm - margin - x) * mm
    size = 7.5 * scale
    y = top - size / mm
    for line in _consignment_lines(label, translate):
        for part in fonts.wrap(line, font, size, room, lines=2):
            drawing.text(x, y, part, size)
            y -= size * 1.3 / mm
    number_pt = fonts.size_to_fit(label.number, font, 16 * scale, 8 * scale, (stock.width_mm - 2 * margin) * mm)
    drawing.text(stock.width_mm / 2, margin + 1, label.number, number_pt, "middle")
    return drawing


def _consignment_lines(label: ConsignmentLabel, translate: Translate) -> list[str]:
    lines = [
        translate("Consignment number"),
        f"→ {label.destination}",
        f"{translate('From site')} {label.origin}",
        temp_class_text(label.temp_class, translate),
    ]
    if label.box:
        lines.append(f"{translate('Box number')} {label.box}")
    if label.tube_count is not None:
        lines.append(translate("%(count)s tubes") % {"count": label.tube_count})
    if label.priority != "routine":
        lines.append(priority_text(label.priority, translate))
    return lines
