"""From a cell to a value: numbers, codes, words. Every function raises CellError for what it cannot read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time

from logistics.imports.cells import Cell, Formula
from logistics.imports.dates import Moment, read_moment
from logistics.imports.errors import CellError
from logistics.imports.text import clean, identifier, items, key, mask_name

MOST_EXACT = 10**15  # Excel keeps 15 digits; what is longer has lost its end
_WHOLE = re.compile(r"\d+\.0")  # how a program writes a number that it read as one
_SCIENTIFIC = re.compile(r"[+-]?(?:\d+\.\d+E[+-]?|\dE[+])\d+", re.IGNORECASE)  # 1E11 may be a code, 1E+11 is none


def text(cell: Cell) -> str:
    """Any cell as clean text; a whole number without '.0'."""
    if cell is None:
        return ""
    if isinstance(cell, Formula):
        raise CellError("formula", cell.text)
    if isinstance(cell, str):
        return clean(cell)
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < MOST_EXACT:
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
    return str(cell)


def code(cell: Cell) -> str:
    """A barcode or other code. Refuses what Excel has spoilt: rounded digits, 2.61E+11, dates, fractions."""
    if isinstance(cell, bool | datetime | date | time):
        raise CellError("code_is_not_text", text(cell))
    if isinstance(cell, int | float):
        if abs(cell) >= MOST_EXACT:
            raise CellError("code_digits_lost", f"{cell:.0f}")
        if isinstance(cell, float) and not cell.is_integer():
            raise CellError("code_is_not_text", f"{cell:g}")
        return str(int(cell))
    value = identifier(text(cell))
    if _WHOLE.fullmatch(value):
        value = value[:-2]
    if _SCIENTIFIC.fullmatch(value):
        raise CellError("code_digits_lost", value)
    if value and not all("!" <= character <= "~" for character in value):
        raise CellError("code_unprintable", value)
    if len(value) > 40:
        raise CellError("code_too_long", value, limit=40)
    return value


def listing(cell: Cell) -> tuple[str, ...]:
    """Several names in one cell."""
    return items(str(cell)) if isinstance(cell, str) else tuple(part for part in (text(cell),) if part)


def masked(cell: Cell) -> str:
    """A name, masked at once: the full one goes no further than this call."""
    try:
        return mask_name(text(cell))
    except CellError as error:
        raise CellError(error.code, "") from None


def moment(cell: Cell) -> Moment | None:
    if isinstance(cell, Formula):
        raise CellError("formula", cell.text)
    return read_moment(cell)


def number(cell: Cell) -> float | None:
    """A decimal number; a trailing unit such as 小时 or h is ignored."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    value = text(cell)
    if not value:
        return None
    match = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)\s*(?:小时|h|hours?|分钟|min|°|度)?", value, re.IGNORECASE)
    if not match:
        raise CellError("number_unreadable", value)
    return float(match[1])


def hours(cell: Cell) -> float | None:
    """A positive number of hours; days are written 3天 or 3d."""
    value = text(cell)
    days = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:天|日|d|days?)", value, re.IGNORECASE)
    found = float(days[1]) * 24 if days else number(cell)
    if found is not None and not 0 < found <= 24 * 366:
        raise CellError("number_out_of_range", value, low=0, high=24 * 366)
    return found


def degrees(cell: Cell) -> float | None:
    """A WGS-84 coordinate in decimal degrees."""
    found = number(cell)
    if found is not None and not -180 <= found <= 180:
        raise CellError("number_out_of_range", text(cell), low=-180, high=180)
    return found


def latitude(cell: Cell) -> float | None:
    found = number(cell)
    if found is not None and not -90 <= found <= 90:
        raise CellError("number_out_of_range", text(cell), low=-90, high=90)
    return found


def minutes(cell: Cell) -> int | None:
    """A time of day as minutes after midnight."""
    found = moment(cell)
    if found is None:
        return None
    if found.clock is None or found.day is not None:
        raise CellError("time_unreadable_clock", text(cell))
    return found.clock.hour * 60 + found.clock.minute


def count(cell: Cell) -> int | None:
    found = number(cell)
    if found is None:
        return None
    if not found.is_integer() or not 0 <= found <= 10_000:
        raise CellError("number_out_of_range", text(cell), low=0, high=10_000)
    return int(found)


def one_of(words: Mapping[str, str], cell: Cell, *, empty: str = "", error: str = "word_unknown") -> str:
    """The meaning of a word. ``words`` maps ``key(word)`` to its meaning."""
    value = text(cell)
    if not value:
        return empty
    meaning = words.get(key(value))
    if meaning is None:
        raise CellError(error, value, known=", ".join(dict.fromkeys(words)))
    return meaning


def _words(**meanings: str) -> dict[str, str]:
    return {key(word): meaning for meaning, listed in meanings.items() for word in (meaning, *listed.split())}


PRIORITIES = _words(
    routine="普通 常规 平诊 一般 否 无 非急诊 不急 n no 0 normal",
    urgent="急 急诊 加急 紧急 优先 是 √ ✓ y yes 1",
    stat="特急 危急 抢救 绿色通道 危重",
)
SEXES = {
    **_words(M="男 男性 male 1", F="女 女性 female 2"),
    **{key(w): "" for w in ("未知", "不详", "其他", "0", "9", "u")},
}
ROLES = _words(
    collector="采样员 采集员 采集人 送检人 采样人员 护士",
    courier="转运员 标本转运员 司机 物流员",
    dispatcher="调度 调度员",
    receiver="接收人 接收员 检验人员 检验师",
    manager="检验科主任 实验室负责人 主任 负责人",
    administrator="管理员 系统管理员",
    auditor="审计 审计员 质控员",
)
TIERS = _words(
    township="乡镇 乡镇卫生院 卫生院 社区 社区卫生服务中心 社区卫生服务站 村卫生室 采样点",
    county_centre="县 县级 县域 县域医学检验中心 县医院 县级医院 区县",
    city_centre="市 市级 市域 市域医学检验中心 市医院 市级医院",
    external="外送 外送机构 第三方 第三方检验机构",
)
TEMP_CLASSES = _words(
    cold_2_8="冷藏 2-8 2~8 2-8℃ 2~8℃ 2-8°C 2–8°C refrigerated cold",
    ambient_15_25="常温 室温 15-25 15~25 15-25℃ 15~25℃ 15-25°C 15–25°C ambient room",
    frozen="冷冻 冰冻 -20℃ -20 ≤-20℃ ≤−20°C",
)
STAGES = _words(unseparated="未分离 未离心 全血", separated="已分离 已离心 分离")


def priority(cell: Cell) -> str:
    return one_of(PRIORITIES, cell, empty="routine", error="priority_word")


def sex(cell: Cell) -> str:
    return one_of(SEXES, cell, error="sex_word")


def age(cell: Cell) -> str:
    """Age as written, with its unit: 45岁, 3月, 10天; a bare number means years."""
    value = text(cell).replace(" ", "")
    if not value:
        return ""
    if not re.fullmatch(r"(\d{1,3}(?:\.\d)?(?:岁|周岁|个?月|周|天|日|小时|时|[ymwd])?){1,3}", value, re.IGNORECASE):
        raise CellError("age_unreadable", value)
    return value


def role(cell: Cell) -> str:
    return one_of(ROLES, cell, error="role_word")


def tier(cell: Cell) -> str:
    return one_of(TIERS, cell, error="tier_word")


def temp_class(cell: Cell) -> str:
    return one_of(TEMP_CLASSES, cell, error="temp_class_word")


def stage(cell: Cell) -> str:
    return one_of(STAGES, cell, error="stage_word")
