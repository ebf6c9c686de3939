"""Label stock as data: rolls (one label a page) and sheets (rows × columns a page). All sizes in millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from logistics.errors import Invalid


@dataclass(frozen=True, slots=True)
class Stock:
    """A label stock.

    ``dot_mm`` is the printer's dot: a bar is a whole number of dots wide or it prints uneven.
    ``min_module_mm`` is the thinnest bar that handheld scanners read well from this stock.
    """

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
    dot_mm: float = 0.125  # 203 dpi thermal printer
    min_module_mm: float = 0.25

    @property
    def per_page(self) -> int:
        return self.columns * self.rows

    def corners_mm(self) -> list[tuple[float, float]]:
        """Lower left corner of each label on the page, row by row from the top (PDF axes)."""
        return [
            (
                self.left_mm + column * (self.width_mm + self.gap_x_mm),
                self.page_height_mm - self.top_mm - (row + 1) * self.height_mm - row * self.gap_y_mm,
            )
            for row, column in product(range(self.rows), range(self.columns))
        ]


def roll(width_mm: float, height_mm: float) -> Stock:
    """One label a page, as roll printers want it."""
    return Stock(f"roll_{width_mm:g}x{height_mm:g}", width_mm, height_mm, width_mm, height_mm)


def sheet_a4(columns: int, rows: int) -> Stock:
    """An A4 sheet cut into equal labels without margins, the commonest office stock."""
    return Stock(
        name=f"sheet_a4_{columns}x{rows}",
        width_mm=210 / columns,
        height_mm=297 / rows,
        page_width_mm=210,
        page_height_mm=297,
        columns=columns,
        rows=rows,
        dot_mm=25.4 / 600,
        min_module_mm=0.19,
    )


STOCKS = {
    stock.name: stock
    for stock in (
        roll(50, 30), roll(60, 40), roll(100, 150),
        sheet_a4(3, 8), sheet_a4(2, 2), sheet_a4(1, 1),
    )
}  # fmt: skip
SPECIMEN_STOCKS = ("roll_50x30", "roll_60x40", "sheet_a4_3x8")
BOX_STOCKS = ("roll_100x150", "sheet_a4_2x2", "sheet_a4_1x1")
CONSIGNMENT_STOCKS = ("roll_60x40", "roll_100x150", "sheet_a4_3x8")


def stock(name: str) -> Stock:
    """Raises Invalid ``label_stock_unknown``."""
    try:
        return STOCKS[name]
    except KeyError:
        raise Invalid("label_stock_unknown", field="stock", value=name, known=", ".join(STOCKS)) from None
