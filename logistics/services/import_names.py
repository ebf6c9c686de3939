"""Finding the site, test, specimen type or container that a file means, with suggestions when it is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import catalogue
from logistics.imports.text import clean, key
from logistics.models import Site, Test

SITE_ENDINGS = ("中心卫生院", "卫生院", "社区卫生服务中心", "卫生服务中心", "社区卫生服务站")
SPECIMEN_WORDS = {
    "BLD": (
        "血液",
        "静脉血",
        "全血",
        "抗凝血",
        "EDTA抗凝血",
        "末梢血",
        "动脉血",
        "枸橼酸钠抗凝血",
        "血",
        "venous blood",
        "blood",
    ),
    "SER": ("静脉血清", "促凝血"),
    "PLAS": ("抗凝血浆",),
    "UR": ("尿", "中段尿", "随机尿", "晨尿", "清洁中段尿"),
    "STL": ("大便", "便", "粪"),
    "SPT": ("痰", "晨痰"),
    "CSF": (),
    "NPS": ("咽拭子", "鼻咽拭子", "口咽拭子", "鼻拭子", "拭子"),
}
CONTAINER_WORDS = {
    "EDTA": ("紫管", "紫头管", "紫帽管", "EDTA", "EDTA-K2", "EDTA管", "抗凝管", "血常规管"),
    "CIT": ("蓝管", "蓝头管", "蓝帽管", "枸橼酸钠管", "凝血管"),
    "NAF": ("灰管", "灰头管", "灰帽管", "血糖管"),
    "SST": ("黄管", "黄头管", "黄帽管", "促凝管", "分离胶管", "生化管"),
    "SERUM": ("红管", "红头管", "红帽管", "干管", "普通管"),
    "HEP": ("绿管", "绿头管", "绿帽管", "肝素管"),
    "PST": ("浅绿管", "浅绿头管"),
    "BCB": ("血培养", "需氧瓶", "厌氧瓶"),
    "CUP": ("尿管", "尿常规管"),
    "STC": ("痰盒", "痰杯", "无菌杯", "无菌容器"),
    "FCB": ("便盒", "粪便盒", "大便盒"),
    "VTM": ("病毒管", "采样管", "病毒保存液"),
}


@dataclass(frozen=True, slots=True)
class Match:
    """What a name stands for: one code, or none (``suggestions``), or several (``choices``)."""

    code: str | None
    suggestions: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class Names:
    """Names → codes for one kind of thing."""

    def __init__(self) -> None:
        self._codes: dict[str, set[str]] = {}
        self._labels: dict[str, str] = {}

    def add(self, code: str, names: Iterable[str], label: str) -> None:
        self._labels[code] = label
        for name in names:
            if key(name):
                self._codes.setdefault(key(name), set()).add(code)

    def find(self, name: str) -> Match:
        """Exact code first, then any known name, else the closest ones as suggestions."""
        if clean(name) in self._labels:
            return Match(clean(name))
        codes = self._codes.get(key(name), set())
        if len(codes) == 1:
            return Match(next(iter(codes)))
        if codes:
            return Match(None, choices=tuple(sorted(self._label(code) for code in codes)))
        close = get_close_matches(key(name), self._codes, n=6, cutoff=0.5)
        found = dict.fromkeys(code for near in close for code in sorted(self._codes[near]))
        return Match(None, tuple(self._label(code) for code in list(found)[:3]))

    def _label(self, code: str) -> str:
        return f"{self._labels[code]} ({code})"


def site_names(sites: Iterable[Site]) -> Names:
    """Sites by code and name; 石城镇 is also known as 石城镇卫生院 and 崇阳县石城镇卫生院."""
    names = Names()
    for site in sites:
        stem = site.name_zh
        for ending in SITE_ENDINGS:
            stem = re.sub(f"{ending}$", "", stem)
        counties = ("", site.county_zh) if site.county_zh else ("",)
        spoken = [county + stem + ending for county in counties for ending in ("", *SITE_ENDINGS)]
        names.add(
            site.code, [site.code, site.name_zh, site.name_en, site.county_zh + site.name_zh, *spoken], site.name_zh
        )
    return names


def test_names(tests: Iterable[Test]) -> Names:
    """Tests by code, names and the synonyms of the starting catalogue."""
    synonyms = {seed.code: seed.synonyms for seed in catalogue.load_tests()}
    names = Names()
    for test in tests:
        spoken = [test.code, test.name_zh, test.name_en, test.short_zh, *synonyms.get(test.code, ())]
        names.add(test.code, spoken, test.name_zh)
    return names


def specimen_type_names() -> Names:
    names = Names()
    for kind in catalogue.load_specimen_types():
        spoken = (kind.code, kind.name_zh, kind.name_en, *SPECIMEN_WORDS.get(kind.code, ()))
        names.add(kind.code, spoken, kind.name_zh)
    return names


def container_names() -> Names:
    names = Names()
    for container in catalogue.load_containers():
        spoken = (container.code, container.name_zh, container.name_en, *CONTAINER_WORDS.get(container.code, ()))
        names.add(container.code, spoken, container.name_zh)
    return names


@dataclass(frozen=True, slots=True)
class Book:
    """Everything an import looks up, read once."""

    sites: dict[str, Site]
    tests: dict[str, Test]
    site_names: Names
    test_names: Names
    specimen_types: Names
    containers: Names

    @classmethod
    def load(cls, session: Session) -> Book:
        sites = {site.code: site for site in session.scalars(select(Site))}
        tests = {test.code: test for test in session.scalars(select(Test))}
        active = [test for test in tests.values() if test.active]
        return cls(
            sites, tests, site_names(sites.values()), test_names(active), specimen_type_names(), container_names()
        )

    def find_tests(self, name: str) -> Sequence[tuple[str, Match]]:
        """A part of the tests cell: one test, or several joined with a plus sign."""
        whole = self.test_names.find(name)
        if whole.code or "+" not in name:
            return [(name, whole)]
        return [(part.strip(), self.test_names.find(part)) for part in name.split("+") if part.strip()]
