"""Drawings as bitmaps in printer dots, for printers that have no Chinese font of their own."""

from __future__ import annotations

import math
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from logistics.labels import codes
from logistics.labels.drawing import Bars, Block, Diamond, Drawing, Square, Text
from logistics.labels.fonts import FontFile

_ANCHORS = {"left": "ls", "middle": "ms", "right": "rs"}
_HELVETICA_CAP = 0.718  # of its size: bold text is laid out for that font


def bitmap(drawing: Drawing, dots_per_mm: float, font: FontFile, *, with_codes: bool = True) -> Image.Image:
    """The label in black and white (mode ``1``), one pixel a printer dot. Codes stand on whole dots.

    ``with_codes`` False leaves them out, where the printer itself draws them.
    """
    size = (round(drawing.width_mm * dots_per_mm), round(drawing.height_mm * dots_per_mm))
    image = Image.new("1", size, 1)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"  # grey edges would print as noise
    page = _Page(pen, size[1], dots_per_mm, font)
    for item in drawing.items:
        if with_codes or not isinstance(item, (Bars, Square)):
            page.draw(item)
    return image


@lru_cache(maxsize=64)
def _font(font: FontFile, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font.path), pixels, index=font.face, layout_engine=ImageFont.Layout.BASIC)


class _Page:
    def __init__(self, pen: ImageDraw.ImageDraw, height: int, scale: float, font: FontFile) -> None:
        self.pen, self.height, self.scale, self.font = pen, height, scale, font

    def dots(self, value_mm: float) -> int:
        return round(value_mm * self.scale)

    def draw(self, item: Text | Block | Diamond | Bars | Square) -> None:
        match item:
            case Text():
                self._text(item)
            case Block():
                self._rect(item.left_mm, item.bottom_mm, item.width_mm, item.height_mm)
            case Diamond():
                self._diamond(item)
            case Bars():
                self._bars(item)
            case Square():
                self._square(item)

    def _text(self, item: Text) -> None:
        pixels = item.size_pt / 72 * 25.4 * self.scale
        stroke = 0
        if item.bold:  # the capitals must be as high as they were laid out, whatever the font
            box = _font(self.font, 1000).getbbox("H", anchor="ls")
            pixels *= _HELVETICA_CAP / (-box[1] / 1000)
            stroke = max(1, round(pixels / 40))
        place = (self.dots(item.x_mm), self.height - self.dots(item.y_mm))
        self.pen.text(
            place, item.text, fill=1 if item.white else 0, font=_font(self.font, max(6, round(pixels))),
            anchor=_ANCHORS[item.anchor], stroke_width=stroke,
        )  # fmt: skip

    def _rect(self, left_mm: float, bottom_mm: float, width_mm: float, height_mm: float) -> None:
        left, bottom = self.dots(left_mm), self.height - self.dots(bottom_mm)
        box = (left, bottom - self.dots(height_mm), left + self.dots(width_mm) - 1, bottom - 1)
        self.pen.rectangle(box, fill=0)

    def _diamond(self, item: Diamond) -> None:
        for side_mm, colour in ((item.side_mm + item.line_mm, 0), (item.side_mm - item.line_mm, 1)):
            reach = side_mm / math.sqrt(2) * self.scale
            x, y = item.x_mm * self.scale, self.height - item.y_mm * self.scale
            self.pen.polygon([(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)], fill=colour)

    def _bars(self, item: Bars) -> None:
        module = max(1, self.dots(item.module_mm))
        left, bottom = self.dots(item.left_mm), self.height - self.dots(item.bottom_mm)
        top = bottom - self.dots(item.height_mm)
        for offset, width in codes.bars(item.text):
            here = left + offset * module
            self.pen.rectangle((here, top, here + width * module - 1, bottom - 1), fill=0)

    def _square(self, item: Square) -> None:
        cells = codes.matrix(item.symbology, item.text)
        cell = max(1, self.dots(item.cell_mm))
        left, top = self.dots(item.left_mm), self.height - self.dots(item.bottom_mm) - len(cells) * cell
        for row, line in enumerate(cells):
            for offset, width in codes.runs(line):
                here, above = left + offset * cell, top + row * cell
                self.pen.rectangle((here, above, here + width * cell - 1, above + cell - 1), fill=0)
