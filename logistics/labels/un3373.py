"""The UN3373 mark of packing instruction P650 (ADR 4.1.4.1, IATA DGR): a diamond with side ≥ 50 mm, line ≥ 2 mm and
letters ≥ 6 mm, in a colour that contrasts, and 'BIOLOGICAL SUBSTANCE, CATEGORY B' beside it in letters ≥ 6 mm.

Capitals throughout: the small letters of 'Biological' would be lower than six millimetres.
"""

from __future__ import annotations

import math

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics

from logistics.labels.drawing import Diamond, Drawing
from logistics.labels.pdf import LATIN_BOLD

SIDE_MM = 51.0  # a little above the limits: printers shrink
LINE_MM = 2.2
LETTER_MM = 6.0
NUMBER = "UN3373"
NUMBER_MM = 7.5
PROPER_NAME = "Biological Substance, Category B"  # the phrase that is translated; printed in capitals
NAME_LINES = ("BIOLOGICAL", "SUBSTANCE,", "CATEGORY B")
LEADING_MM = 7.9
_MARGIN = 1.04  # letters a little above the limit: printers shrink


def size_for_letters_pt(letter_mm: float, font: str = LATIN_BOLD) -> float:
    """The font size at which capitals are ``letter_mm`` high."""
    face = pdfmetrics.getFont(font).face
    cap = float(getattr(face, "capHeight", 0) or 718)
    return float(letter_mm * _MARGIN * mm * 1000 / cap)


def diagonal_mm() -> float:
    """Outer width and height of the diamond with its line (mitred corners)."""
    return (SIDE_MM + LINE_MM) * math.sqrt(2)


def add_diamond(drawing: Drawing, *, centre_x_mm: float, centre_y_mm: float) -> None:
    """The diamond with UN3373 inside. Side is measured on the line's middle, so the outside is larger."""
    drawing.items.append(Diamond(centre_x_mm, centre_y_mm, SIDE_MM, LINE_MM))
    size = size_for_letters_pt(NUMBER_MM)
    drawing.text(centre_x_mm, centre_y_mm - NUMBER_MM / 2, NUMBER, size, "middle", bold=True)


def add_proper_name(drawing: Drawing, *, centre_x_mm: float, top_mm: float) -> float:
    """The proper shipping name in letters of ≥ 6 mm on three lines. Returns where the last baseline is."""
    size = size_for_letters_pt(LETTER_MM)
    y = top_mm - LETTER_MM * _MARGIN + LEADING_MM
    for line in NAME_LINES:
        y -= LEADING_MM
        drawing.text(centre_x_mm, y, line, size, "middle", bold=True)
    return y
