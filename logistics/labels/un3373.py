"""The UN3373 mark of packing instruction P650: a diamond with side ≥ 50 mm, line ≥ 2 mm and letters ≥ 6 mm, and
'Biological Substance, Category B' beside it in letters ≥ 6 mm."""

from __future__ import annotations

import math

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas

SIDE_MM = 51.0  # a little above the limits: printers shrink
LINE_MM = 2.2
LETTER_MM = 6.0
PROPER_NAME = "Biological Substance, Category B"
LATIN_FONT = "Helvetica-Bold"
_MARGIN = 1.04  # letters a little above the limit: printers shrink


def size_for_letters_pt(letter_mm: float, font: str = LATIN_FONT) -> float:
    """The font size at which capitals are ``letter_mm`` high."""
    face = pdfmetrics.getFont(font).face
    cap = float(getattr(face, "capHeight", 0) or 718)
    return float(letter_mm * _MARGIN * mm * 1000 / cap)


def diagonal_mm() -> float:
    """Outer width and height of the diamond with its line (mitred corners)."""
    return (SIDE_MM + LINE_MM) * math.sqrt(2)


def draw_diamond(canvas: Canvas, *, centre_x_mm: float, centre_y_mm: float) -> None:
    """The diamond with UN3373 inside. Side is measured on the line's middle, so the outside is larger."""
    reach = SIDE_MM / math.sqrt(2) * mm
    x, y = centre_x_mm * mm, centre_y_mm * mm
    canvas.saveState()
    canvas.setLineWidth(LINE_MM * mm)
    canvas.setLineJoin(0)
    canvas.setStrokeGray(0)
    path = canvas.beginPath()
    path.moveTo(x, y + reach)
    path.lineTo(x + reach, y)
    path.lineTo(x, y - reach)
    path.lineTo(x - reach, y)
    path.close()
    canvas.drawPath(path, stroke=1, fill=0)
    size = size_for_letters_pt(7.5)
    canvas.setFont(LATIN_FONT, size)
    canvas.setFillGray(0)
    canvas.drawCentredString(x, y - 7.5 * mm / 2, "UN3373")
    canvas.restoreState()


def draw_proper_name(canvas: Canvas, *, centre_x_mm: float, bottom_mm: float, room_mm: float) -> float:
    """The proper shipping name in letters of ≥ 6 mm, on two lines and narrowed where needed.

    Returns the height taken, in millimetres.
    """
    size = size_for_letters_pt(LETTER_MM)
    lines = ("Biological Substance,", "Category B")
    leading = LETTER_MM * 1.55
    for number, line in enumerate(reversed(lines)):
        width = float(pdfmetrics.stringWidth(line, LATIN_FONT, size))
        scale = min(100.0, room_mm * mm / width * 100)
        text = canvas.beginText()
        text.setFont(LATIN_FONT, size)
        text.setHorizScale(scale)
        text.setTextOrigin(
            centre_x_mm * mm - width * scale / 200, (bottom_mm + number * leading + LETTER_MM * 0.3) * mm
        )
        text.textOut(line)
        canvas.drawText(text)
    return leading * len(lines)
