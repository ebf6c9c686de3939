"""Code128, QR and DataMatrix codes as modules: dark and light cells, before anybody draws them.

Drawn as vector shapes or as whole printer dots, a code stays sharp on any printer.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import groupby

import numpy as np
import qrcode
import zxingcpp
from qrcode.constants import ERROR_CORRECT_M
from reportlab.graphics.barcode.code128 import Code128

from logistics.errors import Invalid
from logistics.labels.sizes import CODE128, DATAMATRIX, QR, Stock

QUIET_MODULES = 10  # each side of a Code128, ISO/IEC 15417
QUIET_CELLS = {QR: 4, DATAMATRIX: 1}  # each side: ISO/IEC 18004, 16022
QUIET_LEAST = 2  # one is the limit of a DataMatrix; text beside it wants more
MAX_MODULE_MM = 0.5
MAX_CELL_MM = 1.0

Matrix = tuple[tuple[bool, ...], ...]


def checked(text: str, *, field: str) -> str:
    """``text`` if a barcode of printable ASCII can carry it. Raises Invalid ``label_code_unprintable``."""
    if not text or not all(" " < character <= "~" for character in text):
        raise Invalid("label_code_unprintable", field=field, value=text[:40])
    return text


@lru_cache(maxsize=1024)
def bars(text: str) -> tuple[tuple[int, int], ...]:
    """The dark bars of a Code128 as (offset, width) in modules; subsets are chosen for the shortest code."""
    drawn = Code128(text, barWidth=1, quiet=False, humanReadable=False)
    _ = drawn.width  # works the code out
    found, here = [], 0
    for letter in drawn.decomposed:  # capitals are bars, small letters spaces; A is one module wide
        width = ord(letter.upper()) - ord("A") + 1
        if letter.isupper():
            found.append((here, width))
        here += width
    return tuple(found)


def width_modules(text: str) -> int:
    """Of a Code128 without its quiet zones."""
    offset, width = bars(text)[-1]
    return offset + width


def module_mm(text: str, stock: Stock, room_mm: float) -> float:
    """The widest bar module, in whole printer dots, with which ``text`` and its quiet zones fit ``room_mm``.

    Raises Invalid ``label_code_too_long`` when it would be thinner than scanners read.
    """
    return _whole_dots(text, stock, room_mm, width_modules(text) + 2 * QUIET_MODULES, MAX_MODULE_MM)


@lru_cache(maxsize=1024)
def matrix(symbology: str, text: str) -> Matrix:
    """The cells of a square code without its quiet zone, row by row from the top; QR of level M."""
    if symbology == QR:
        code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=0)
        code.add_data(text)
        code.make(fit=True)
        return tuple(tuple(bool(cell) for cell in row) for row in code.get_matrix())
    made = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    dark = np.asarray(made.to_image(scale=1, add_quiet_zones=False)) == 0
    return tuple(tuple(row) for row in dark.tolist())


def cell_mm(symbology: str, text: str, stock: Stock, room_mm: float) -> float:
    """The largest cell, in whole printer dots, with which the code and its quiet zone fit a square of ``room_mm``.

    Raises Invalid ``label_code_too_long``.
    """
    quiet = max(QUIET_LEAST, QUIET_CELLS[symbology])
    return _whole_dots(text, stock, room_mm, len(matrix(symbology, text)) + 2 * quiet, MAX_CELL_MM)


def _whole_dots(text: str, stock: Stock, room_mm: float, modules: int, most_mm: float) -> float:
    dots = math.floor(room_mm / modules / stock.dot_mm + 1e-9)
    most = math.floor(most_mm / stock.dot_mm + 1e-9)
    if dots * stock.dot_mm < stock.min_module_mm - 1e-9:
        raise Invalid("label_code_too_long", field="accession", value=text, stock=stock.name)
    return min(dots, most) * stock.dot_mm


def runs(row: tuple[bool, ...]) -> list[tuple[int, int]]:
    """The dark runs of a row as (offset, width) in cells."""
    found, here = [], 0
    for dark, cells in groupby(row):
        width = len(list(cells))
        if dark:
            found.append((here, width))
        here += width
    return found


__all__ = [
    "CODE128", "DATAMATRIX", "QR", "bars", "cell_mm", "checked", "matrix", "module_mm", "runs", "width_modules",
]  # fmt: skip
