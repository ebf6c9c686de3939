"""Labels and manifests: rendered with poppler and read back by decoders that are not ours."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from logistics import labels
from logistics.errors import Invalid, Unavailable
from logistics.labels import codes, fonts, raster, texts, un3373
from logistics.labels.sizes import BOX_STOCKS, CONSIGNMENT_STOCKS, SPECIMEN_STOCKS, STOCKS, SYMBOLOGIES, stock
from tests.paper import dmtx, render, words, zbar, zxing

AT = datetime(2026, 3, 2, 1, 20, tzinfo=UTC)
ACCESSIONS = ["261122000471", "LR26030200047U", "LIS2611220047", "20261122"]


def tube(accession: str, **more: object) -> labels.SpecimenLabel:
    facts: dict[str, object] = {
        "site": "石城镇卫生院", "specimen_type": "全血", "container": "EDTA抗凝管", "tests": ("血常规", "糖化"),
        "priority": "stat", "temp_class": "cold_2_8", "patient_ref": "张* 男 45岁",
    }  # fmt: skip
    return labels.SpecimenLabel(accession=accession, **{**facts, **more})  # type: ignore[arg-type]


READ_ON = [
    (name, symbology)
    for name in SPECIMEN_STOCKS
    for symbology in SYMBOLOGIES
    if symbology != "code128" or STOCKS[name].symbology == "code128"
]


@pytest.mark.parametrize(("name", "symbology"), READ_ON)
def test_specimen_labels_are_read_by_independent_decoders(name: str, symbology: str, tmp_path: Path) -> None:
    """Every accession number on every stock comes back: Code128 and QR from zbar, DataMatrix from libdmtx, all of them
    from zxing; rendered at 203 dpi, at 300 dpi for the stocks of finer printers."""
    on = stock(name)
    pdf = labels.specimen_labels([tube(number) for number in ACCESSIONS], stock=on, symbology=symbology)
    pages = render(pdf, tmp_path, dpi=300 if on.dpi == 300 else 203)
    assert sorted(zxing(pages)) == sorted(ACCESSIONS)
    if symbology == "datamatrix":
        assert dmtx(pages[0]) == ACCESSIONS[0] if on.medium == "roll" else dmtx(pages[0]) in ACCESSIONS
    else:
        kind = {"code128": "CODE-128", "qr": "QR-Code"}[symbology]
        assert sorted(zbar(pages)) == sorted(f"{kind}:{number}" for number in ACCESSIONS)


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
def test_specimen_label_says_what_a_nurse_checks(symbology: str, tmp_path: Path) -> None:
    """Number, site, masked name, specimen, tests and temperature stand on the label as text, whatever the code."""
    pdf = labels.specimen_labels([tube("261122000471")], symbology=symbology)
    text = words(pdf, tmp_path)
    for part in ("261122000471", "石城镇卫生院", "张*", "全血", "血常规", "2–8 °C", "STAT"):
        assert part in text


def test_a_small_label_keeps_number_and_code(tmp_path: Path) -> None:
    """Where there is no room for all the lines, the last ones are left out: number and code never are."""
    text = words(labels.specimen_labels([tube("261122000471")], stock=stock("roll_25x15_300")), tmp_path)
    assert "261122000471" in text
    assert "张*" in text
    assert "血常规" not in text


def test_sheet_starts_where_the_last_one_ended(tmp_path: Path) -> None:
    """Places used before stay empty, and what does not fit goes on the next page."""
    sheet = STOCKS["sheet_a4_3x8"]
    pages = render(labels.specimen_labels([tube("20261122")] * 4, stock=sheet, skip=22), tmp_path)
    assert len(pages) == 2
    assert len(zbar(pages[:1])) <= 1  # zbar names equal codes once
    top = Image.open(pages[0]).convert("L").crop((0, 0, 1653, 1900))
    assert top.getextrema() == (255, 255)


ON_SHEETS = [
    (kind, name)
    for kind, names in (("specimen", SPECIMEN_STOCKS), ("box", BOX_STOCKS), ("consignment", CONSIGNMENT_STOCKS))
    for name in names
    if STOCKS[name].medium == "sheet"
]


@pytest.mark.parametrize(("kind", "name"), ON_SHEETS)
def test_a_full_sheet_keeps_clear_of_the_rim(kind: str, name: str, tmp_path: Path) -> None:
    """Office printers leave about 4.2 mm of a page white: within 4.5 mm of its edges stands nothing that counts."""
    on = stock(name)
    box = labels.BoxLabel("BX0047S", "cold_2_8", "石城镇卫生院", "石城镇卫生院检验科", "0715-6555120")
    load = labels.ConsignmentLabel("CN2603020047T", "石城镇卫生院", "崇阳县人民医院", "cold_2_8", "BX0047S", 8)
    made = {
        "specimen": lambda: labels.specimen_labels([tube("261122000471")] * on.per_page, stock=on),
        "box": lambda: labels.box_labels([box] * on.per_page, stock=on),
        "consignment": lambda: labels.consignment_labels([load] * on.per_page, stock=on),
    }[kind]()
    page = ImageOps.invert(Image.open(render(made, tmp_path, dpi=254)[0]).convert("L"))  # ten dots a millimetre
    left, top, right, bottom = page.getbbox() or pytest.fail("an empty page")
    assert min(left, top, page.width - right, page.height - bottom) >= 45


def test_a_full_name_is_refused() -> None:
    """A label carries a masked name or none."""
    labels.specimen_labels([tube("1234", patient_ref="")])
    with pytest.raises(Invalid) as caught:
        labels.specimen_labels([tube("1234", patient_ref="张三丰 男")])
    assert caught.value.code == "label_name_not_masked"


@pytest.mark.parametrize(
    ("accession", "code"),
    [("标本1", "label_code_unprintable"), ("", "label_code_unprintable"), ("X" * 40, "label_code_too_long")],
)
def test_what_no_scanner_could_read_is_refused(accession: str, code: str) -> None:
    """Rather no label than one that does not scan."""
    with pytest.raises(Invalid) as caught:
        labels.specimen_labels([tube(accession)])
    assert caught.value.code == code


def test_bars_are_whole_printer_dots() -> None:
    """On a 203 dpi roll a bar that is not a whole number of dots prints uneven."""
    for number in ACCESSIONS:
        for name in ("roll_50x30", "roll_60x40", "roll_50x30_300"):
            dots = codes.module_mm(number, STOCKS[name], STOCKS[name].width_mm) / STOCKS[name].dot_mm
            assert dots == pytest.approx(round(dots))
            assert dots >= 2


@pytest.mark.parametrize("name", BOX_STOCKS)
def test_box_label_is_read_and_named(name: str, tmp_path: Path) -> None:
    """The QR code gives the box code; UN3373, its name, the responsible person and telephone are on it."""
    box = labels.BoxLabel("BX0047S", "cold_2_8", "崇阳县人民医院", "王主任", "0715-1234567")
    pdf = labels.box_labels([box], stock=stock(name))
    pages = render(pdf, tmp_path)
    assert zbar(pages) == ["QR-Code:BX0047S"]
    assert zxing(pages) == ["BX0047S"]
    text = words(pdf, tmp_path)
    for part in ("UN3373", "BIOLOGICAL", "SUBSTANCE,", "CATEGORY B", "王主任", "0715-1234567", "2–8 °C"):
        assert part in text


def dark(image: Image.Image, row: int, left: int = 0, right: int = 0) -> list[int]:
    """The dark pixels of a row."""
    return [x for x in range(left, right or image.width) if image.getpixel((x, row)) == 0]


@pytest.mark.parametrize("printer", ["pdf", "zpl"])
def test_un3373_mark_has_the_sizes_of_the_standard(printer: str, tmp_path: Path) -> None:
    """P650, measured on what is printed (the PDF at 10 dots a millimetre; the bitmap of a Zebra at 8): a diamond of
    side ≥ 50 mm, line ≥ 2 mm, UN3373 inside in letters ≥ 6 mm, black on white."""
    box = labels.BoxLabel("BX0047S", "cold_2_8", "x", "x", "x")
    if printer == "pdf":
        image, scale = Image.open(render(labels.box_labels([box]), tmp_path, dpi=254)[0]).convert("1"), 10
    else:
        drawing = labels.box_drawings([box], stock=STOCKS["roll_100x150"])[0]
        image, scale = raster.bitmap(drawing, 8, fonts.find_font()), 8
    half = un3373.diagonal_mm() / 2
    row = round((4 + 30 + 1 + half) * scale)  # the widest row of the diamond
    above = row - 8 * scale  # clear of the letters, inside the diamond
    line = [x for x in dark(image, above) if x < image.width // 2]
    assert (line[-1] - line[0] + 1) / scale / 2**0.5 >= 2
    assert line == list(range(line[0], line[-1] + 1)), "one unbroken line"
    at_middle = dark(image, row)
    assert (at_middle[-1] - at_middle[0] + 1) / scale / 2**0.5 >= 50
    column = [y for y in range(image.height) if image.getpixel((image.width // 2 + 1, y)) == 0 and abs(y - row) > 60]
    tall = [y for y in column if abs(y - row) < half * scale + 1]
    assert (tall[-1] - tall[0] + 1) / scale / 2**0.5 >= 50, "as high as it is wide"
    letters = [
        y
        for y in range(above + 1, row + 8 * scale)
        if dark(image, y, image.width // 2 - 15 * scale, image.width // 2 + 15 * scale)
    ]
    assert (letters[-1] - letters[0] + 1) / scale >= 6
    assert image.getcolors() is not None
    assert {colour for _, colour in image.getcolors()} <= {0, 1, 255}


@pytest.mark.parametrize("name", BOX_STOCKS)
def test_proper_name_stands_beside_the_diamond(name: str, tmp_path: Path) -> None:
    """BIOLOGICAL SUBSTANCE, CATEGORY B in three lines of letters ≥ 6 mm, measured, within 30 mm of the diamond."""
    box = labels.BoxLabel("BX0047S", "cold_2_8", "x", "x", "x")
    image = Image.open(render(labels.box_labels([box], stock=stock(name)), tmp_path, dpi=254)[0]).convert("1")
    width, height = round(stock(name).width_mm * 10), round(stock(name).height_mm * 10)
    image = image.crop((0, 0, width, height))  # the first label of a sheet
    foot = round((max(4, stock(name).rim_mm) + 30 + 1 + un3373.diagonal_mm()) * 10)
    middle = width // 2
    spans, begun = [], None
    for y in range(foot + 2, min(height, foot + 300)):
        if dark(image, y, middle - 350, middle):  # the comma at the right reaches down
            begun = y if begun is None else begun
        elif begun is not None:
            spans.append(y - begun)
            begun = None
    assert [span >= 60 for span in spans[:3]] == [True, True, True], spans


def test_small_stock_for_a_box_is_refused() -> None:
    """A shrunk diamond would not be the mark."""
    box = labels.BoxLabel("BX0047S", "cold_2_8", "x", "x", "x")
    with pytest.raises(Invalid) as caught:
        labels.box_labels([box], stock=STOCKS["roll_60x40"])
    assert caught.value.code == "label_stock_too_small"


@pytest.mark.parametrize("name", CONSIGNMENT_STOCKS)
def test_consignment_label_is_read(name: str, tmp_path: Path) -> None:
    """The QR code gives the consignment number."""
    label = labels.ConsignmentLabel("CN2603020047T", "石城镇卫生院", "崇阳县人民医院", "cold_2_8", "BX0047S", 18)
    pages = render(labels.consignment_labels([label], stock=stock(name)), tmp_path)
    assert zbar(pages) == ["QR-Code:CN2603020047T"]
    assert zxing(pages) == ["CN2603020047T"]


def manifest(count: int) -> labels.Manifest:
    lines = tuple(
        labels.ManifestLine(
            f"26112200{n:04d}", "血清 促凝管", ("肝功能", "肾功能"), "stat" if n == 3 else "routine", AT
        )
        for n in range(count)
    )
    return labels.Manifest(
        number="CN2603020047T", version=2, origin="石城镇卫生院", destination="崇阳县人民医院", box="BX0047S",
        temp_class="cold_2_8", seal="SL0000047F", sealed_at=AT, sealed_by="李护士", lines=lines,
        signatures=(labels.Signature("石城镇卫生院", AT, "李护士", "陈师傅", "交接", 4.6),),
    )  # fmt: skip


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (90, 3)])
def test_manifest_lists_every_tube_once(count: int, pages: int, tmp_path: Path) -> None:
    """All tubes, the seal, both names, local times; 'page x of y' and the QR code on every page."""
    pdf = labels.manifest_pdf(manifest(count), printed_at=AT, printed_by="lihs")
    text = words(pdf, tmp_path)
    for line in manifest(count).lines:
        assert text.count(line.accession) == 1
    for part in ("SL0000047F", "BX0047S", "李护士", "陈师傅", "4.6 °C", "2026-03-02 09:20"):
        assert part in text
    images = render(pdf, tmp_path, dpi=100)
    assert len(images) == pages
    for number, image in enumerate(images, start=1):
        assert f"Page {number} of {pages}" in text
        assert "QR-Code:CN2603020047T" in zbar([image])


def test_manifest_speaks_the_readers_language(tmp_path: Path) -> None:
    """Every phrase goes through ``translate``: a reversing one leaves no English behind."""
    pdf = labels.manifest_pdf(
        manifest(2), printed_at=AT, printed_by="li", translate=lambda s: "译" if "%" not in s else s
    )
    text = words(pdf, tmp_path)
    for phrase in texts.MANIFEST_TEXTS:
        if "%" not in phrase:
            assert phrase not in text


def test_user_text_is_not_markup(tmp_path: Path) -> None:
    """What users type is printed as it is, also when it looks like a tag."""
    line = labels.ManifestLine("261122000471", "<b>A&B</b> <img src='x'/>")
    one = manifest(1)
    pdf = labels.manifest_pdf(
        labels.Manifest(**{**{f: getattr(one, f) for f in one.__slots__}, "lines": (line,)}),
        printed_at=AT,
        printed_by="li",
    )
    assert "<b>A&B</b>" in words(pdf, tmp_path)


def test_only_used_glyphs_are_embedded(tmp_path: Path) -> None:
    """The font is embedded as TrueType and as a subset: the file stays small."""
    pdf = labels.specimen_labels([tube("20261122")])
    assert len(pdf) < 60_000
    (tmp_path / "f.pdf").write_bytes(pdf)
    listed = subprocess.run(["pdffonts", str(tmp_path / "f.pdf")], capture_output=True, text=True, check=True)
    row = next(line for line in listed.stdout.splitlines() if "MicroHei" in line or "TrueType" in line)
    assert "TrueType" in row
    assert "yes yes" in row  # embedded, subset


def test_a_missing_font_names_the_package(tmp_path: Path) -> None:
    """Without a Chinese font nothing is printed, and the message says what to install."""
    absent = [fonts.FontFile(tmp_path / "none.ttf")]
    with pytest.raises(Unavailable) as caught:
        labels.specimen_labels([tube("20261122")], candidates=absent)
    assert caught.value.params["package"] == "fonts-wqy-microhei"


def test_the_same_label_twice_is_the_same_file() -> None:
    """No time and no random id inside: a reprint can be compared."""
    assert labels.specimen_labels([tube("20261122")]) == labels.specimen_labels([tube("20261122")])
    assert json.dumps(sorted(STOCKS))  # plain data
    assert BytesIO(labels.specimen_labels([tube("20261122")])).read(5) == b"%PDF-"
