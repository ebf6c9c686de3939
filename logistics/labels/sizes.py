"""Label stock as data: rolls (one label a page) and sheets (rows × columns a page). All sizes in millimetres.

The usual ones stand in ``catalogue/label_stocks.csv``; an administrator adds others (``services/label_stocks.py``).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from itertools import product

from logistics.errors import Invalid

ROLL, SHEET = "roll", "sheet"
MEDIA = (ROLL, SHEET)
CODE128, QR, DATAMATRIX = "code128", "qr", "datamatrix"
SYMBOLOGIES = (CODE128, QR, DATAMATRIX)
DPI = (203, 300, 600)
ZEBRA_DPI = (203, 300)
SPECIMEN, BOX, CONSIGNMENT = "specimen", "box", "consignment"
KINDS = (SPECIMEN, BOX, CONSIGNMENT)
LEAST_BOX_MM = (95.0, 140.0)  # the UN3373 mark and its text need this much
LEAST_CONSIGNMENT_MM = (50.0, 30.0)
LEAST_MM, MOST_MM = 10.0, 300.0
UNPRINTABLE_MM = 5.0  # office printers leave the rim of a page white: 4.2 mm most of them


@dataclass(frozen=True, slots=True)
class Stock:
    """A label stock. ``dpi``: of the printer; a bar is a whole number of its dots wide or it prints uneven."""

    name: str
    width_mm: float
    height_mm: float
    page_width_mm: float
    page_height_mm: float
    columns: int = 1
    rows: int = 1
    left_mm: float = 0.0
    top_mm: float = 0.0
    gap_x_mm: float = 0.0
    gap_y_mm: float = 0.0
    dpi: int = 203
    medium: str = ROLL
    symbology: str = CODE128
    name_zh: str = ""
    name_en: str = ""

    @property
    def shown(self) -> dict[str, str]:
        """Its name for a sentence, in both languages; its code where it has none."""
        return {"zh": self.name_zh or self.name, "en": self.name_en or self.name_zh or self.name}

    @property
    def dots_per_mm(self) -> float:
        """203 dpi print heads have 8 dots a millimetre."""
        return 8.0 if self.dpi == 203 else self.dpi / 25.4

    @property
    def dot_mm(self) -> float:
        return 1 / self.dots_per_mm

    @property
    def min_module_mm(self) -> float:
        """The thinnest bar that handheld scanners read well: thermal printers blur more than office ones."""
        return 0.25 if self.medium == ROLL else 0.19

    @property
    def per_page(self) -> int:
        return self.columns * self.rows

    @property
    def rim_mm(self) -> float:
        """What stays empty on each side of a label, so that nothing lies where an office printer cannot print."""
        if self.medium == ROLL:
            return 0.0
        across = self.columns * self.width_mm + (self.columns - 1) * self.gap_x_mm
        down = self.rows * self.height_mm + (self.rows - 1) * self.gap_y_mm
        right = self.page_width_mm - self.left_mm - across
        bottom = self.page_height_mm - self.top_mm - down
        return max(0.0, UNPRINTABLE_MM - min(self.left_mm, self.top_mm, right, bottom))

    def title(self, locale: str) -> str:
        return (self.name_en if locale == "en" and self.name_en else self.name_zh) or self.name

    def fits(self, kind: str) -> bool:
        """Whether a label of this kind can be printed on it."""
        least = {BOX: LEAST_BOX_MM, CONSIGNMENT: LEAST_CONSIGNMENT_MM}.get(kind, (LEAST_MM, LEAST_MM))
        return self.width_mm >= least[0] and self.height_mm >= least[1]

    def corners_mm(self) -> list[tuple[float, float]]:
        """Lower left corner of each label on the page, row by row from the top (PDF axes)."""
        return [
            (
                self.left_mm + column * (self.width_mm + self.gap_x_mm),
                self.page_height_mm - self.top_mm - (row + 1) * self.height_mm - row * self.gap_y_mm,
            )
            for row, column in product(range(self.rows), range(self.columns))
        ]


def check(stock: Stock) -> Stock:
    """A stock whose labels lie on their page and can be printed.

    Raises Invalid: ``label_stock_number`` (field, low, high), ``label_stock_off_page``, ``label_stock_choice``.
    """
    for field in ("width_mm", "height_mm", "page_width_mm", "page_height_mm"):
        _within(stock, field, LEAST_MM, MOST_MM)
    for field in ("left_mm", "top_mm", "gap_x_mm", "gap_y_mm"):
        _within(stock, field, 0.0, 100.0)
    for field in ("columns", "rows"):
        _within(stock, field, 1, 30)
    for field, known in (("dpi", DPI), ("medium", MEDIA), ("symbology", SYMBOLOGIES)):
        if getattr(stock, field) not in known:
            raise Invalid("label_stock_choice", field=field, value=str(getattr(stock, field))[:20])
    if stock.medium == ROLL and stock.dpi not in ZEBRA_DPI:
        raise Invalid("label_stock_choice", field="dpi", value=str(stock.dpi))
    across = stock.left_mm + stock.columns * stock.width_mm + (stock.columns - 1) * stock.gap_x_mm
    down = stock.top_mm + stock.rows * stock.height_mm + (stock.rows - 1) * stock.gap_y_mm
    for field, needed, there in (
        ("columns", across, stock.page_width_mm), ("rows", down, stock.page_height_mm),
    ):  # fmt: skip
        if needed > there + 0.05:
            raise Invalid("label_stock_off_page", field=field, needed=f"{needed:g}", page=f"{there:g}")
    return stock


def _within(stock: Stock, field: str, low: float, high: float) -> None:
    value = float(getattr(stock, field))
    if not math.isfinite(value) or not low <= value <= high:
        raise Invalid("label_stock_number", field=field, low=f"{low:g}", high=f"{high:g}")


def _load() -> dict[str, Stock]:
    text = (resources.files("logistics.catalogue") / "label_stocks.csv").read_text("utf-8")
    kinds = {field.name: field.type for field in fields(Stock)}
    found = {}
    for row in csv.DictReader(text.splitlines()):
        values: dict[str, object] = {"name": row.pop("code")}
        row.pop("source")
        for name, value in row.items():
            kind = kinds[name]
            values[name] = int(value) if kind == "int" else float(value) if kind == "float" else value
        stock = check(Stock(**values))  # type: ignore[arg-type]
        found[stock.name] = stock
    return found


STOCKS: Mapping[str, Stock] = _load()
SPECIMEN_STOCKS = tuple(name for name, one in STOCKS.items() if one.height_mm < 100)
BOX_STOCKS = tuple(name for name, one in STOCKS.items() if one.fits(BOX))
CONSIGNMENT_STOCKS = tuple(name for name, one in STOCKS.items() if one.fits(CONSIGNMENT) and one.page_height_mm)


def stock(name: str, known: Mapping[str, Stock] = STOCKS) -> Stock:
    """Raises Invalid ``label_stock_unknown``."""
    try:
        return known[name]
    except KeyError:
        raise Invalid("label_stock_unknown", field="stock", value=name[:40], known=", ".join(known)) from None
