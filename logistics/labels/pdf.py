"""Drawings onto PDF pages: one label a page on rolls, rows and columns on sheets."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from logistics.errors import Invalid
from logistics.labels import codes
from logistics.labels.drawing import Bars, Block, Diamond, Drawing, Square, Text
from logistics.labels.sizes import QR, Stock

LATIN_BOLD = "Helvetica-Bold"


def pages(drawings: Sequence[Drawing], stock: Stock, font: str, *, skip: int = 0) -> bytes:
    """A PDF with one label each, in order; on a sheet the first ``skip`` places stay empty (used before).

    Raises Invalid ``label_none``.
    """
    if not drawings:
        raise Invalid("label_none", field="labels")
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(stock.page_width_mm * mm, stock.page_height_mm * mm), pageCompression=1, invariant=1)
    canvas.setTitle("Labrelay")
    corners = stock.corners_mm()
    place = skip % stock.per_page
    for number, drawing in enumerate(drawings):
        left, bottom = corners[place]
        canvas.saveState()
        canvas.translate(left * mm, bottom * mm)
        draw(canvas, drawing, font)
        canvas.restoreState()
        place += 1
        if place == stock.per_page and number + 1 < len(drawings):
            canvas.showPage()
            place = 0
    canvas.save()
    return out.getvalue()


def draw(canvas: Canvas, drawing: Drawing, font: str) -> None:
    """The shapes of one label at the canvas' origin."""
    canvas.setFillGray(0)
    for item in drawing.items:
        match item:
            case Text():
                _text(canvas, item, font)
            case Block():
                rect(canvas, item.left_mm, item.bottom_mm, item.width_mm, item.height_mm)
            case Diamond():
                _diamond(canvas, item)
            case Bars():
                bars(canvas, item)
            case Square():
                square(canvas, item)


def _text(canvas: Canvas, item: Text, font: str) -> None:
    canvas.setFont(LATIN_BOLD if item.bold else font, item.size_pt)
    canvas.setFillGray(1 if item.white else 0)
    put = {"left": canvas.drawString, "middle": canvas.drawCentredString, "right": canvas.drawRightString}[item.anchor]
    put(item.x_mm * mm, item.y_mm * mm, item.text)
    canvas.setFillGray(0)


def rect(canvas: Canvas, left_mm: float, bottom_mm: float, width_mm: float, height_mm: float) -> None:
    canvas.rect(left_mm * mm, bottom_mm * mm, width_mm * mm, height_mm * mm, stroke=0, fill=1)


def bars(canvas: Canvas, item: Bars) -> None:
    """One path for all bars: nothing can come between them."""
    path = canvas.beginPath()
    for offset, width in codes.bars(item.text):
        left = item.left_mm + offset * item.module_mm
        path.rect(left * mm, item.bottom_mm * mm, width * item.module_mm * mm, item.height_mm * mm)
    canvas.drawPath(path, stroke=0, fill=1)


def square(canvas: Canvas, item: Square) -> None:
    cells = codes.matrix(item.symbology, item.text)
    path = canvas.beginPath()
    for row, line in enumerate(cells):
        bottom = item.bottom_mm + (len(cells) - row - 1) * item.cell_mm
        for offset, width in codes.runs(line):
            left = item.left_mm + offset * item.cell_mm
            path.rect(left * mm, bottom * mm, width * item.cell_mm * mm, item.cell_mm * mm)
    canvas.drawPath(path, stroke=0, fill=1)


def _diamond(canvas: Canvas, item: Diamond) -> None:
    reach = item.side_mm / math.sqrt(2) * mm
    x, y = item.x_mm * mm, item.y_mm * mm
    canvas.saveState()
    canvas.setLineWidth(item.line_mm * mm)
    canvas.setLineJoin(0)
    canvas.setStrokeGray(0)
    path = canvas.beginPath()
    path.moveTo(x, y + reach)
    path.lineTo(x + reach, y)
    path.lineTo(x, y - reach)
    path.lineTo(x - reach, y)
    path.close()
    canvas.drawPath(path, stroke=1, fill=0)
    canvas.restoreState()


def draw_qr(canvas: Canvas, text: str, *, left_mm: float, bottom_mm: float, side_mm: float) -> None:
    """A QR code (level M) with its quiet zone in a square of ``side_mm``, on a document."""
    cells = len(codes.matrix(QR, text))
    cell = side_mm / (cells + 2 * codes.QUIET_CELLS[QR])
    quiet = codes.QUIET_CELLS[QR] * cell
    canvas.setFillGray(0)
    square(canvas, Square(QR, text, left_mm + quiet, bottom_mm + quiet, cell, cells * cell))


def draw_code128(
    canvas: Canvas, text: str, *, centre_mm: float, bottom_mm: float, height_mm: float, module: float
) -> None:
    """A Code128 centred on ``centre_mm``, on a document; the quiet zones are the caller's empty room."""
    left = centre_mm - codes.width_modules(text) * module / 2
    canvas.setFillGray(0)
    bars(canvas, Bars(text, left, bottom_mm, height_mm, module))
