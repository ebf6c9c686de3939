"""ZPL for Zebra printers: parsed by a reader of its own, every field inside the label, and the bitmap read by zbar."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from logistics import labels
from logistics.errors import Invalid
from logistics.labels import codes, raster, zpl
from logistics.labels.drawing import Drawing
from logistics.labels.fonts import find_font
from logistics.labels.sizes import STOCKS, Stock

TUBE = labels.SpecimenLabel(
    "LR26030200047U", "石城镇卫生院", "全血", "EDTA抗凝管", ("血常规", "糖化"), "stat", "cold_2_8", "张* 男 45岁"
)
BOX = labels.BoxLabel("BX0047S", "cold_2_8", "崇阳县人民医院", "王主任", "0715-1234567")
ROLLS = ("roll_50x30", "roll_60x40", "roll_40x25", "roll_50x30_300", "roll_25x15_300")


@dataclass
class Field:
    """One ^FO … ^FS: where it stands, in dots, and the commands of it."""

    x: int
    y: int
    commands: dict[str, list[str]] = field(default_factory=dict)
    data: str = ""


@dataclass
class Parsed:
    """One ^XA … ^XZ, by the rules of the ZPL II guide."""

    settings: dict[str, str]
    fields: list[Field]
    image: Image.Image


def parse(text: str) -> list[Parsed]:
    """The labels of a ZPL file; raises on what the guide does not allow."""
    found = re.fullmatch(r"(?:\^XA(.*?)\^XZ\s*)+", text, re.S)
    assert found, "whole labels and nothing else"
    return [_parse_one(body) for body in re.findall(r"\^XA(.*?)\^XZ", text, re.S)]


def _parse_one(body: str) -> Parsed:
    settings: dict[str, str] = {}
    fields: list[Field] = []
    here: Field | None = None
    for name, text in re.findall(r"\^([A-Z][A-Z0-9@])([^^]*)", body):
        rest = text.strip("\n")
        if name == "FO":
            assert here is None, "a field begins inside another"
            x, y = rest.split(",")
            here = Field(int(x), int(y))
        elif name == "FS":
            assert here is not None
            fields.append(here)
            here = None
        elif name == "FD":
            assert here is not None
            here.data = rest
        elif here is not None:
            here.commands[name] = rest.split(",", 4 if name == "GF" else 9)
        else:
            assert name in {"CI", "PW", "LL", "LH", "PQ"}, f"unknown ^{name}"
            settings[name] = rest
    image = Image.new("1", (int(settings["PW"]), int(settings["LL"])), 1)
    for one in fields:
        if "GF" in one.commands:
            _paint(image, one)
    return Parsed(settings, fields, image)


def _paint(image: Image.Image, one: Field) -> None:
    """Draw a ^GFA field, after taking its run lengths apart."""
    form, total, count, width, data = one.commands["GF"]
    assert (form, total) == ("A", count)
    row_bytes = int(width)
    rows = expand(data, row_bytes * 2)
    assert len(rows) * row_bytes == int(total), "as many bytes as announced"
    picture = Image.frombytes("1", (row_bytes * 8, len(rows)), bytes.fromhex("".join(rows)))
    assert one.y + len(rows) <= image.height
    ink = picture.getbbox()
    assert ink is not None
    assert one.x + ink[2] <= image.width, "ink outside the label"
    image.paste(0, (one.x, one.y), picture)


def expand(data: str, digits: int) -> list[str]:
    """Rows of hexadecimal digits from ZPL's compressed ones."""
    rows: list[str] = []
    row, repeat = "", 0
    for letter in data:
        if letter == ":":
            rows.append(rows[-1])
        elif letter in ",!":
            row += ("0" if letter == "," else "F") * (digits - len(row))
        elif "G" <= letter <= "Y":
            repeat += ord(letter) - ord("G") + 1
        elif "g" <= letter <= "z":
            repeat += (ord(letter) - ord("g") + 1) * 20
        else:
            assert letter in "0123456789ABCDEF"
            row, repeat = row + letter * (repeat or 1), 0
        assert len(row) <= digits
        if len(row) == digits:
            rows.append(row)
            row = ""
    assert not row
    assert not repeat
    return rows


def drawings(stock: Stock, symbology: str = "") -> list[Drawing]:
    return labels.specimen_drawings([TUBE], stock=stock, symbology=symbology)


def read(image: Image.Image, folder: Path) -> str:
    """What zbarimg reads from a bitmap with a white edge around it, as paper has."""
    page = Image.new("L", (image.width + 60, image.height + 60), 255)
    page.paste(image.convert("L"), (30, 30))
    page.save(folder / "label.png")
    run = subprocess.run(["zbarimg", "-q", str(folder / "label.png")], capture_output=True, text=True, check=False)
    return run.stdout.strip()


@pytest.mark.parametrize("name", ["roll_50x30", "roll_60x40", "roll_50x30_300"])
@pytest.mark.parametrize(("symbology", "prefix"), [("code128", "CODE-128"), ("qr", "QR-Code")])
def test_the_graphic_label_is_read_back(name: str, symbology: str, prefix: str, tmp_path: Path) -> None:
    """What the printer puts on paper, dot for dot, is read by zbar; text and code are one bitmap."""
    stock = STOCKS[name]
    text = zpl.labels(drawings(stock, symbology), stock, mode=zpl.GRAPHIC)
    (one,) = parse(text)
    assert read(one.image, tmp_path) == f"{prefix}:LR26030200047U"
    assert len(one.fields) == 1
    drawn = raster.bitmap(drawings(stock, symbology)[0], stock.dots_per_mm, find_font())
    assert one.image.tobytes() == drawn.tobytes(), "nothing was lost in packing"


def test_a_graphic_datamatrix_is_read_back(tmp_path: Path) -> None:
    """The same for the square code of small tubes, by libdmtx."""
    stock = STOCKS["roll_40x25"]
    (one,) = parse(zpl.labels(drawings(stock), stock, mode=zpl.GRAPHIC))
    one.image.convert("L").save(tmp_path / "label.png")
    command = ["dmtxread", "-N", "1", "-m", "5000", str(tmp_path / "label.png")]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == TUBE.accession


@pytest.mark.parametrize("name", ROLLS)
@pytest.mark.parametrize("symbology", ["code128", "qr", "datamatrix"])
def test_native_codes_stand_inside_the_label(name: str, symbology: str) -> None:
    """The printer draws the code: its field, as wide as its modules make it, lies inside the label with its quiet zone
    and clear of every black dot of the text."""
    stock = STOCKS[name]
    if symbology == "code128" and stock.symbology != "code128":
        with pytest.raises(Invalid, match="label_code_too_long"):
            drawings(stock, symbology)
        return
    made = drawings(stock, symbology)
    (one,) = parse(zpl.labels(made, stock, copies=3))
    assert one.settings["CI"] == "28"  # UTF-8
    assert one.settings["PQ"] == "3"
    assert (one.image.width, one.image.height) == (
        round(stock.width_mm * stock.dots_per_mm), round(stock.height_mm * stock.dots_per_mm),
    )  # fmt: skip
    (code,) = [each for each in one.fields if "GF" not in each.commands]
    width, height, quiet = {"code128": _code128, "qr": _qr, "datamatrix": _datamatrix}[symbology](code)
    assert code.x >= quiet or symbology == "code128"
    assert code.x + width <= one.image.width
    assert code.y >= 0
    assert code.y + height <= one.image.height
    under = one.image.crop((code.x, code.y, code.x + width, code.y + height))
    assert under.getextrema() in {(1, 1), (255, 255)}, "text under the code"


def _code128(code: Field) -> tuple[int, int, int]:
    module = int(code.commands["BY"][0])
    orientation, height, *rest = code.commands["BC"]
    assert (orientation, rest) == ("N", ["N", "N", "N", "A"])
    assert code.data == TUBE.accession
    assert module >= 2
    return codes.width_modules(code.data) * module, int(height), 10 * module


def _qr(code: Field) -> tuple[int, int, int]:
    orientation, model, cell = code.commands["BQ"]
    assert (orientation, model) == ("N", "2")
    assert code.data == f"MA,{TUBE.accession}"
    side = len(codes.matrix("qr", TUBE.accession)) * int(cell)
    return side, side, 4 * int(cell)


def _datamatrix(code: Field) -> tuple[int, int, int]:
    orientation, cell, quality = code.commands["BX"]
    assert (orientation, quality) == ("N", "200")
    assert code.data == TUBE.accession
    side = len(codes.matrix("datamatrix", TUBE.accession)) * int(cell)
    return side, side, int(cell)


def test_no_text_is_left_to_the_printers_fonts() -> None:
    """Chinese prints on a printer without a Chinese font: no ^A field, no character beyond ASCII in the file."""
    stock = STOCKS["roll_60x40"]
    for mode in zpl.MODES:
        text = zpl.labels(drawings(stock), stock, mode=mode)
        assert text.isascii()
        assert "^A" not in text.replace("^XA", "")


def test_a_code_with_signs_of_zpl_is_drawn() -> None:
    """A laboratory's own barcode may hold ^ or ~: then the code is dots, and no command is smuggled in."""
    stock = STOCKS["roll_60x40"]
    made = labels.specimen_drawings([labels.SpecimenLabel("A^XZ~JR1", "x")], stock=stock)
    (one,) = parse(zpl.labels(made, stock))
    assert [set(each.commands) for each in one.fields] == [{"GF"}]


def test_the_box_label_is_read_from_its_bitmap(tmp_path: Path) -> None:
    """UN3373 mark, Chinese and QR code on a 100 × 150 mm label."""
    stock = STOCKS["roll_100x150"]
    (one,) = parse(zpl.labels(labels.box_drawings([BOX], stock=stock), stock, mode=zpl.GRAPHIC))
    assert read(one.image, tmp_path) == "QR-Code:BX0047S"


@pytest.mark.parametrize("name", ["sheet_a4_3x8", "sheet_a4_1x1"])
def test_sheets_are_no_zebra_stock(name: str) -> None:
    """A4 goes to an office printer."""
    stock = STOCKS[name]
    with pytest.raises(Invalid, match="label_zpl_stock"):
        zpl.labels(drawings(stock), stock)


@given(
    st.integers(1, 60).flatmap(
        lambda width: st.lists(st.lists(st.sampled_from("0F7A"), min_size=width * 2, max_size=width * 2), min_size=1)
    )
)
def test_packing_loses_nothing(rows: list[list[str]]) -> None:
    """Any bitmap comes back as it was from ZPL's run lengths."""
    lines = ["".join(row) for row in rows]
    assert expand(zpl.compress(lines), len(lines[0])) == lines
