"""ZPL II for Zebra printers and those that understand them.

Two ways, because printers in the field differ. ``native``: the printer draws the bars itself (^BC, ^BQ, ^BX), the text
is one bitmap (^GFA) in the same font as the PDF, so that Chinese prints on a printer that has no Chinese font.
``graphic``: the whole label is one bitmap, exactly as it is tested here.

Sizes are dots of the stock's resolution (203 or 300 dpi). Commands: ZPL II Programming Guide (Zebra, P1099958).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from PIL import Image

from logistics.errors import Invalid
from logistics.labels import codes, fonts, raster
from logistics.labels.drawing import Bars, Drawing, Square
from logistics.labels.fonts import CANDIDATES, FontFile
from logistics.labels.sizes import QR, ROLL, ZEBRA_DPI, Stock

NATIVE, GRAPHIC = "zpl", "zpl_graphic"
MODES = (NATIVE, GRAPHIC)
_SPECIAL = frozenset("^~_\\>")  # mean something else inside a field of one printer or another


def labels(
    drawings: Sequence[Drawing],
    stock: Stock,
    *,
    mode: str = NATIVE,
    copies: int = 1,
    candidates: Iterable[FontFile] = CANDIDATES,
) -> str:
    """One ``^XA … ^XZ`` a label, as text to be sent as UTF-8.

    Raises Invalid ``label_none``, ``label_zpl_stock`` (rolls of 203 and 300 dpi alone); Unavailable
    ``cjk_font_missing``.
    """
    if not drawings:
        raise Invalid("label_none", field="labels")
    if stock.medium != ROLL or stock.dpi not in ZEBRA_DPI or stock.per_page != 1:
        raise Invalid("label_zpl_stock", field="stock", value=stock.shown)
    font = fonts.find_font(candidates)
    return "".join(_label(drawing, stock, font, mode, copies) for drawing in drawings)


def _label(drawing: Drawing, stock: Stock, font: FontFile, mode: str, copies: int) -> str:
    scale = stock.dots_per_mm
    native = mode == NATIVE and all(_printable(item.text) for item in drawing.items if isinstance(item, (Bars, Square)))
    image = raster.bitmap(drawing, scale, font, with_codes=not native)
    lines = ["^XA", "^CI28", f"^PW{image.width}", f"^LL{image.height}", "^LH0,0", *graphic(image)]
    if native:
        lines += [_code(item, image.height, scale) for item in drawing.items if isinstance(item, (Bars, Square))]
    lines += [f"^PQ{copies}", "^XZ", ""]
    return "\n".join(lines)


def _printable(text: str) -> bool:
    """Whether a field may hold it as it is; else the code is drawn as dots."""
    return not _SPECIAL.intersection(text)


def _code(item: Bars | Square, height: int, scale: float) -> str:
    left = round(item.left_mm * scale)
    if isinstance(item, Bars):
        tall = round(item.height_mm * scale)
        top = height - round(item.bottom_mm * scale) - tall
        return f"^FO{left},{top}^BY{round(item.module_mm * scale)}^BCN,{tall},N,N,N,A^FD{item.text}^FS"
    cell = max(1, round(item.cell_mm * scale))
    top = height - round(item.bottom_mm * scale) - len(codes.matrix(item.symbology, item.text)) * cell
    if item.symbology == QR:
        return f"^FO{left},{top}^BQN,2,{cell}^FDMA,{item.text}^FS"
    return f"^FO{left},{top}^BXN,{cell},200^FD{item.text}^FS"


def graphic(image: Image.Image) -> list[str]:
    """A ^GFA field of what is black in the image, cut to it; empty when nothing is."""
    black = image.point(lambda value: 0 if value else 255, "1")
    box = black.getbbox()
    if box is None:
        return []
    left = box[0] - box[0] % 8
    cut = black.crop((left, box[1], box[2], box[3]))
    row_bytes = -(-cut.width // 8)
    data = cut.tobytes()  # one bit a dot, rows filled up to whole bytes
    rows = [data[here : here + row_bytes].hex().upper() for here in range(0, len(data), row_bytes)]
    return [f"^FO{left},{box[1]}^GFA,{len(data)},{len(data)},{row_bytes},{compress(rows)}^FS"]


def compress(rows: Sequence[str]) -> str:
    """Hexadecimal rows in ZPL's run lengths: ``G``…``Y`` 1–19, ``g``…``z`` 20–400; ``,`` rest zeros, ``!`` rest ones,
    ``:`` as the row above."""
    out, above = [], None
    for row in rows:
        out.append(":" if row == above else _row(row))
        above = row
    return "".join(out)


def _row(row: str) -> str:
    for digit, mark in (("0", ","), ("F", "!")):
        kept = row.rstrip(digit)
        if len(row) - len(kept) > 1:
            return "".join(_run(letter, len(list(same))) for letter, same in groupby(kept)) + mark
    return "".join(_run(letter, len(list(same))) for letter, same in groupby(row))


def _run(digit: str, count: int) -> str:
    out = ""
    while count >= 400:
        out, count = out + "z" + digit, count - 400
    if count <= 2:
        return out + digit * count
    if count >= 20:
        out += chr(ord("g") + count // 20 - 1)
    if count % 20:
        out += chr(ord("G") + count % 20 - 1)
    return out + digit
