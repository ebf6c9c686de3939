"""A label as shapes in millimetres, before it becomes a PDF, a bitmap or ZPL: one layout for every printer.

Axes as in PDF: the origin is the label's lower left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Text:
    """One line; ``y_mm`` is its baseline. ``bold``: Latin letters alone, as the UN3373 mark has them."""

    x_mm: float
    y_mm: float
    text: str
    size_pt: float
    anchor: str = "left"  # left | middle | right
    white: bool = False
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A black rectangle, under white text."""

    left_mm: float
    bottom_mm: float
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class Diamond:
    """A square on its point: ``side_mm`` measured on the middle of the line."""

    x_mm: float
    y_mm: float
    side_mm: float
    line_mm: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A Code128, without its quiet zones: those are the label's empty room."""

    text: str
    left_mm: float
    bottom_mm: float
    height_mm: float
    module_mm: float


@dataclass(frozen=True, slots=True)
class Square:
    """A QR or DataMatrix code, without its quiet zone."""

    symbology: str
    text: str
    left_mm: float
    bottom_mm: float
    cell_mm: float
    side_mm: float


Item = Text | Block | Diamond | Bars | Square


@dataclass(slots=True)
class Drawing:
    """One label. Later items lie on earlier ones."""

    width_mm: float
    height_mm: float
    items: list[Item] = field(default_factory=list)

    def text(self, x_mm: float, y_mm: float, text: str, size_pt: float, anchor: str = "left", **more: bool) -> None:
        if text:
            self.items.append(Text(x_mm, y_mm, text, size_pt, anchor, **more))
