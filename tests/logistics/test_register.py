"""The transport register: every field of the paper form, many pages, both languages; a workbook of real values."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from logistics.labels import register
from logistics.labels.register import RegisterHead, RegisterLine, Signed, words_of
from logistics.labels.register_pdf import register_pdf, wrapped
from logistics.labels.register_xlsx import HEAD_ROW, register_xlsx
from web.messages.labels import PRINTED

AT = datetime(2026, 3, 2, 1, 20, tzinfo=UTC)
HEAD = RegisterHead("2026-03-02…2026-03-02", AT, "王主任", (("Site", "石城镇卫生院"),))
LINE = RegisterLine(
    number="CN2603020047T", origin="石城镇卫生院", departed_at=AT, destination="崇阳县人民医院",
    arrived_at=AT + timedelta(minutes=75), box="BX0047S", temp_class="冷藏 2–8 °C", seal="SL0000047F",
    specimens=(("全血 EDTA抗凝管", 5), ("血清 促凝管", 3)), tube_count=8, item_count=2, damaged=1, leaked=0, missing=1,
    depart_temp_c=4.6, arrive_temp_c=5.1, min_c=-0.4, max_c=8.9,
    given=Signed("李护士", AT, "交付转运, PIN 确认"), courier=Signed("陈师傅", AT, "接收转运"),
    courier_at_end=Signed("陈师傅", AT + timedelta(minutes=80), "PIN 确认"),
    received=Signed("周检验", AT + timedelta(minutes=80), "已接收"),
    events=("09:55 转运箱 BX0047S 温度异常", "标本缺失 ×1"), actions=("标本缺失: 已找到 ×1 (王主任)",),
)  # fmt: skip
WORDS = words_of(lambda text: {"Period": "期间", register.TITLE: "区域检验标本转运登记表"}.get(text, text))


def lines(count: int) -> Iterator[RegisterLine]:
    fields = {name: getattr(LINE, name) for name in LINE.__slots__}
    for place in range(count):
        yield RegisterLine(**{**fields, "number": f"CN260302{place:04d}X"})


def printed(count: int, folder: Path) -> tuple[str, int]:
    """(text as a reader copies it, pages)"""
    out = BytesIO()
    made = register_pdf(out, HEAD, lines(count), WORDS)
    (folder / "register.pdf").write_bytes(out.getvalue())
    run = subprocess.run(
        ["pdftotext", "-raw", str(folder / "register.pdf"), "-"], capture_output=True, text=True, check=True
    )
    assert made.lines == count
    return run.stdout, made.pages


def test_every_field_of_the_paper_form_is_on_it(tmp_path: Path) -> None:
    """Times, places, box, kinds and counts, damage, temperatures, both parties with time and meaning, events."""
    text, pages = printed(1, tmp_path)
    assert pages == 1
    flat = "".join(text.split())
    for part in (
        "区域检验标本转运登记表", register.TITLE, "CN2603020000X", "BX0047S", "SL0000047F", "石城镇卫生院",
        "崇阳县人民医院", "2026-03-02 09:20", "2026-03-02 10:35", "全血", "×5", "血清", "×3",
        "Damaged 1", "Missing 1", "Load items 2",
        "4.6", "5.1", "−0.4", "8.9", "李护士", "陈师傅", "周检验", "交付转运", "已接收", "温度异常", "→", "已找到",
        "王主任",
    ):  # fmt: skip
        assert "".join(part.split()) in flat, part


def test_the_head_and_the_page_number_stand_on_every_page(tmp_path: Path) -> None:
    """A month goes over many pages: each has the title, the columns, who printed it, and 'page x of y'."""
    text, pages = printed(60, tmp_path)
    assert pages >= 8
    sheets = text.split("\f")[:-1]
    assert len(sheets) == pages
    for number, sheet in enumerate(sheets, start=1):
        flat = "".join(sheet.split())
        for part in ("区域检验标本转运登记表", "Specimentypesandcounts", "王主任", f"{number}/{pages}"):
            assert part in flat, (number, part)
    whole = "".join(text.split())
    assert [whole.count(f"CN260302{place:04d}X") for place in range(60)] == [1] * 60
    assert "60consignments,480tubes" in whole


def test_the_page_is_a4_landscape_and_nothing_runs_off_it(tmp_path: Path) -> None:
    """Measured on the rendered page: a white margin all around."""
    printed(9, tmp_path)
    info = subprocess.run(
        ["pdfinfo", str(tmp_path / "register.pdf")], capture_output=True, text=True, check=True
    ).stdout
    assert "841.89 x 595.276 pts (A4)" in info
    from PIL import Image, ImageOps

    command = [
        "pdftoppm",
        "-r",
        "50",
        "-png",
        "-f",
        "1",
        "-l",
        "1",
        str(tmp_path / "register.pdf"),
        str(tmp_path / "page"),
    ]
    subprocess.run(command, check=True)
    page = Image.open(next(tmp_path.glob("page*.png"))).convert("L")
    box = ImageOps.invert(page).getbbox()
    assert box is not None
    left, top, right, bottom = box
    assert min(left, top, page.width - right, page.height - bottom) >= 50 * 0.25, "a quarter inch"


def test_an_empty_register_says_so(tmp_path: Path) -> None:
    """Nothing left that day: one page that says it."""
    text, pages = printed(0, tmp_path)
    assert pages == 1
    assert "Nothing left in this period." in text


def test_the_workbook_holds_real_values() -> None:
    """Dates are dates, counts and temperatures numbers; the head stays in view; nothing is a formula."""
    out = BytesIO()
    fields = {name: getattr(LINE, name) for name in LINE.__slots__}
    evil = RegisterLine(**{**fields, "events": ('=HYPERLINK("http://x")',), "seal": "+1", "given": Signed("@SUM(A1)")})
    assert register_xlsx(out, HEAD, [LINE, evil], WORDS) == 2
    sheet = load_workbook(BytesIO(out.getvalue())).active
    assert sheet is not None
    assert sheet.freeze_panes == f"C{HEAD_ROW + 2}"
    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
    assert sheet.print_title_rows == f"${HEAD_ROW + 1}:${HEAD_ROW + 1}"
    heads = [str(cell.value).split("\n")[-1] for cell in sheet[HEAD_ROW + 1]]
    assert heads == list(register.SHEET_HEADS)
    row = dict(zip(heads, [cell.value for cell in sheet[HEAD_ROW + 2]], strict=True))
    assert row["Departure: time"] == datetime(2026, 3, 2, 9, 20)  # noqa: DTZ001
    assert row["Day of departure"] == datetime(2026, 3, 2)  # noqa: DTZ001
    assert (row["Tube count"], row["Lowest on the way °C"], row["Damaged tubes"]) == (8, -0.4, 1)
    assert row["Received by"] == "周检验"
    bad = [cell for cell in sheet[HEAD_ROW + 3] if cell.data_type == "f"]
    assert bad == []
    texts = dict(zip(heads, [cell.value for cell in sheet[HEAD_ROW + 3]], strict=True))
    assert texts["Seal number"] == "'+1"
    assert str(texts["Events on the way"]).startswith("'=")
    assert str(texts["Handed over by"]).startswith("'@")


@pytest.mark.parametrize("text", ["", "标本缺失 ×1，已找到", "CN2603020047T BX0047S", "a" * 200, "一" * 99])
def test_wrapping_keeps_every_character(text: str) -> None:
    """Nothing is cut off, and no line is wider than its room."""
    from logistics.labels import fonts

    font = fonts.font_name()
    parts = wrapped(text, font, 8, 60.0)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(fonts.width_pt(part, font, 8) <= 60.0 for part in parts)


def test_every_printed_word_can_be_translated() -> None:
    """The words of the register stand in the catalogue of translations, no more and no fewer."""
    assert set(PRINTED) == set(register.TEXTS)
