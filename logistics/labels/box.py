"""Labels of transport boxes (with the UN3373 mark) and of consignments."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from logistics.errors import Invalid
from logistics.labels import fonts, un3373
from logistics.labels.codes import checked, draw_qr
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.sizes import STOCKS, Stock
from logistics.labels.texts import Translate, priority_text, same, temp_class_text

LEAST_BOX_MM = (95.0, 140.0)  # the diamond and its text need this much


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
    translate: Translate = same,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> bytes:
    """A PDF with the box labels, the UN3373 mark in the sizes of the standard.

    Raises Invalid ``label_none``, ``label_stock_too_small``, ``label_code_unprintable``; Unavailable
    ``cjk_font_missing``.
    """
    if stock.width_mm < LEAST_BOX_MM[0] or stock.height_mm < LEAST_BOX_MM[1]:
        raise Invalid("label_stock_too_small", field="stock", value=stock.name)
    font = fonts.font_name(candidates)
    for label in labels:
        checked(label.code, field="code")
    draws = [_box_drawer(label, stock, font, translate) for label in labels]
    return _pages(draws, stock)


def consignment_labels(
    labels: Sequence[ConsignmentLabel],
    *,
    stock: Stock = STOCKS["roll_60x40"],
    translate: Translate = same,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> bytes:
    """A PDF with the QR code of each consignment number. Raises as ``box_labels`` does."""
    font = fonts.font_name(candidates)
    for label in labels:
        checked(label.number, field="number")
    draws = [_consignment_drawer(label, stock, font, translate) for label in labels]
    return _pages(draws, stock)


def _pages(draws: Sequence[Callable[[Canvas], None]], stock: Stock) -> bytes:
    if not draws:
        raise Invalid("label_none", field="labels")
    out = io.BytesIO()
    page = (stock.page_width_mm * mm, stock.page_height_mm * mm)
    canvas = Canvas(out, pagesize=page, pageCompression=1, invariant=1)
    canvas.setTitle("Labrelay")
    corners = stock.corners_mm()
    for number, draw in enumerate(draws):
        if number and number % stock.per_page == 0:
            canvas.showPage()
        left, bottom = corners[number % stock.per_page]
        canvas.saveState()
        canvas.translate(left * mm, bottom * mm)
        draw(canvas)
        canvas.restoreState()
    canvas.save()
    return out.getvalue()


def _box_drawer(label: BoxLabel, stock: Stock, font: str, translate: Translate) -> Callable[[Canvas], None]:
    width, height = min(stock.width_mm, 130.0), stock.height_mm
    left = (stock.width_mm - width) / 2 + 4
    right = stock.width_mm - left
    qr_mm = 30.0
    text_left = left + qr_mm + 3
    room = (right - text_left) * mm

    def draw(canvas: Canvas) -> None:
        top = height - 4
        draw_qr(canvas, label.code, left_mm=left - 2, bottom_mm=top - qr_mm, side_mm=qr_mm)
        canvas.setFont(font, 9)
        canvas.drawString(text_left * mm, (top - 5) * mm, fonts.fit(translate("Transport box"), font, 9, room))
        code_pt = fonts.size_to_fit(label.code, font, 30, 14, room)
        canvas.setFont(font, code_pt)
        canvas.drawString(text_left * mm, (top - 16) * mm, label.code)
        canvas.setFont(font, 9)
        canvas.drawString(text_left * mm, (top - 21.5) * mm, fonts.fit(label.owner, font, 9, room))
        _temp_band(canvas, temp_class_text(label.temp_class, translate), font, text_left, top - 30, right)

        half = un3373.diagonal_mm() / 2
        centre = stock.width_mm / 2
        diamond_y = top - qr_mm - 2 - half
        un3373.draw_diamond(canvas, centre_x_mm=centre, centre_y_mm=diamond_y)
        name_top = diamond_y - half - 1
        un3373.draw_proper_name(canvas, centre_x_mm=centre, bottom_mm=name_top - 19, room_mm=stock.width_mm - 8)
        own = translate(un3373.PROPER_NAME)
        foot = f"{translate('Responsible person')}  {label.responsible}  {label.phone}"
        canvas.setFont(font, 11)
        if own != un3373.PROPER_NAME:
            canvas.drawCentredString(centre * mm, (name_top - 24) * mm, own)
        foot_pt = fonts.size_to_fit(foot, font, 11, 7, (right - left) * mm)
        canvas.setFont(font, foot_pt)
        canvas.drawCentredString(centre * mm, max(3.0, name_top - 31) * mm, foot)

    return draw


def _temp_band(canvas: Canvas, text: str, font: str, left_mm: float, bottom_mm: float, right_mm: float) -> None:
    """The temperature class, white on black over the whole width."""
    canvas.setFillGray(0)
    canvas.rect(left_mm * mm, bottom_mm * mm, (right_mm - left_mm) * mm, 7 * mm, stroke=0, fill=1)
    canvas.setFillGray(1)
    size = fonts.size_to_fit(text, font, 14, 7, (right_mm - left_mm - 2) * mm)
    canvas.setFont(font, size)
    canvas.drawCentredString((left_mm + right_mm) / 2 * mm, (bottom_mm + 3.5) * mm - size * 0.36, text)
    canvas.setFillGray(0)


def _consignment_drawer(
    label: ConsignmentLabel, stock: Stock, font: str, translate: Translate
) -> Callable[[Canvas], None]:
    scale = min(stock.width_mm / 60, stock.height_mm / 40)
    margin = 2 * scale
    qr_mm = 25 * scale

    def draw(canvas: Canvas) -> None:
        top = stock.height_mm - margin
        draw_qr(canvas, label.number, left_mm=margin / 2, bottom_mm=top - qr_mm, side_mm=qr_mm)
        x = (margin + qr_mm) * mm
        room = (stock.width_mm - margin) * mm - x
        size = 7.5 * scale
        y = top * mm - size
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
        for line in lines:
            for part in fonts.wrap(line, font, size, room, lines=2):
                canvas.setFont(font, size)
                canvas.drawString(x, y, part)
                y -= size * 1.3
        whole = (stock.width_mm - 2 * margin) * mm
        number_pt = fonts.size_to_fit(label.number, font, 16 * scale, 8 * scale, whole)
        canvas.setFont(font, number_pt)
        canvas.drawCentredString(stock.width_mm / 2 * mm, (margin + 1) * mm, label.number)

    return draw
