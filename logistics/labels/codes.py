"""Code128 and QR codes as vector shapes on a PDF canvas, so that any printer draws them sharp."""

from __future__ import annotations

import math

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from logistics.errors import Invalid
from logistics.labels.sizes import Stock

QUIET_MODULES = 10  # each side, ISO/IEC 15417
QR_QUIET_MODULES = 4  # each side, ISO/IEC 18004


def checked(text: str, *, field: str) -> str:
    """``text`` if a Code128 of printable ASCII can carry it. Raises Invalid ``label_code_unprintable``."""
    if not text or not all(" " < character <= "~" for character in text):
        raise Invalid("label_code_unprintable", field=field, value=text[:40])
    return text


def module_mm(text: str, stock: Stock, room_mm: float) -> float:
    """The widest bar module, in whole printer dots, with which ``text`` and its quiet zones fit ``room_mm``.

    Raises Invalid ``label_code_too_long`` when it would be thinner than scanners read.
    """
    modules = float(Code128(text, barWidth=1, quiet=False, humanReadable=False).width) + 2 * QUIET_MODULES
    dots = math.floor(room_mm / modules / stock.dot_mm + 1e-9)
    width_mm = dots * stock.dot_mm
    if width_mm < stock.min_module_mm - 1e-9:
        raise Invalid("label_code_too_long", field="accession", value=text, stock=stock.name)
    return min(width_mm, 0.5)


def draw_code128(
    canvas: Canvas, text: str, *, centre_mm: float, bottom_mm: float, height_mm: float, module: float
) -> None:
    """Draw the bars centred on ``centre_mm``; the quiet zones are the caller's empty room."""
    bars = Code128(text, barWidth=module * mm, barHeight=height_mm * mm, quiet=False, humanReadable=False)
    bars.drawOn(canvas, centre_mm * mm - float(bars.width) / 2, bottom_mm * mm)


def draw_qr(canvas: Canvas, text: str, *, left_mm: float, bottom_mm: float, side_mm: float) -> None:
    """Draw a QR code (level M) with its quiet zone into a square of ``side_mm``."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QR_QUIET_MODULES)
    code.add_data(text)
    code.make(fit=True)
    matrix = code.get_matrix()
    cell = side_mm * mm / len(matrix)
    path = canvas.beginPath()
    for row, cells in enumerate(matrix):
        column = 0
        while column < len(cells):
            run = column
            while run < len(cells) and cells[run]:
                run += 1
            if run > column:
                x = left_mm * mm + column * cell
                y = bottom_mm * mm + (len(matrix) - row - 1) * cell
                path.rect(x, y, (run - column) * cell, cell)
            column = max(run, column + 1)
    canvas.setFillGray(0)
    canvas.drawPath(path, stroke=0, fill=1)
