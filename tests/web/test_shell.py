"""The page shell and the design system: what every page must keep to, checked on the files and on answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from logistics.domain.custody import EventType
from logistics.domain.transitions import ConsignmentState, State
from logistics.services.acts import HANDLERS
from web import i18n

WEB = Path(__file__).resolve().parents[2] / "web"
STATIC = WEB / "static"
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
SCRIPTS = [*sorted((STATIC / "js").rglob("*.js")), STATIC / "sw.js"]
SHEETS = sorted((STATIC / "css").rglob("*.css"))
AA_TEXT = 4.5

# What Chrome 86 does not know (the version that brought it in brackets).
ABOVE_THE_FLOOR = {
    ".css": (
        (r":(has|is|where)\(", ":is :where (88), :has (105)"),
        (r"(?<![-\w])inset\s*:", "inset (87)"),
        (r"(?<![-\w])(margin|padding|border)-(inline|block)\s*:", "logical shorthands (87)"),
        (r"aspect-ratio\s*:", "aspect-ratio (88)"),
        (r"\d(dvh|svh|lvh)\b", "dynamic viewport units (108)"),
        (r"@(layer|container)\b", "@layer (99), @container (105)"),
        (r"color-mix\(", "color-mix (111)"),
    ),
    ".js": (
        (r"\.(at|findLast|toSorted|hasOwn)\((?<!Object\.hasOwn\()", "at (92), findLast (97), toSorted (110)"),
        (r"\bstructuredClone\(", "structuredClone (98)"),
        (r"crypto\.randomUUID\(", "randomUUID (92)"),
        (r"AbortSignal\.(timeout|any)\(", "AbortSignal.timeout (103)"),
        (r"^await\b", "top-level await (89)"),
        (r"\bstatic\s*\{", "static blocks (94)"),
        (r"Promise\.withResolvers", "withResolvers (119)"),
    ),
}


def relative(path: Path) -> str:
    return str(path.relative_to(WEB))


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_templates_hold_no_inline_script_or_style(path: Path) -> None:
    """The content policy forbids inline script, style and handlers: a template with one would be dead on arrival."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style\b|\sstyle=", text)
    assert not re.search(r"<[^>]*\son[a-z]+=", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_icons_are_in_the_sprite(path: Path) -> None:
    """Every icon that a template names is drawn."""
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "icons" / "sprite.svg").read_text()))
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"\bicon\('([\w-]+)'\)", text)) | set(re.findall(r"icon_name='([\w-]+)'", text))
    if path.name == "states.html":
        named |= set(re.findall(r"'(?:\w+)', '([\w-]+)'(?:, true)?\)", text))
    assert named <= drawn


@pytest.mark.parametrize("path", SHEETS + SCRIPTS, ids=relative)
def test_nothing_above_chrome_86(path: Path) -> None:
    """Style sheets and scripts keep to what Chrome 86 understands (hospital PCs)."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [name for pattern, name in ABOVE_THE_FLOOR[path.suffix] if re.search(pattern, text, re.MULTILINE)]
    if path.name == "scanner-worker.js":
        assert "if (!Object.hasOwn)" in text
        found = [name for name in found if "at (92)" not in name]
    assert found == []


def test_every_file_the_service_worker_keeps_exists() -> None:
    """One missing file would make the installation of the worker fail, and with it the whole offline shell."""
    text = (STATIC / "sw.js").read_text()
    names = re.findall(r'"/static/([\w./-]+)"', text)
    names += [f"css/{name}.css" for name in _list(text, "css")] + [f"js/{name}.js" for name in _list(text, "js")]
    assert len(names) > 20
    assert [name for name in names if not (STATIC / name).exists()] == []


def _list(text: str, folder: str) -> list[str]:
    block = re.search(r"\.\.\.\[([^\]]*)\]\.map\(\(name\) => `/static/" + folder, text, re.DOTALL)
    assert block
    return re.findall(r'"([\w-]+)"', block.group(1))


def test_the_worker_keeps_what_the_shell_loads() -> None:
    """Every module that shell.js or scan-panel.js reaches is kept for work without a signal."""
    kept = set(_list((STATIC / "sw.js").read_text(), "js"))
    waiting, reached = ["shell", "plain", "scan-panel", "acts"], set()
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        text = (STATIC / "js" / f"{name}.js").read_text()
        waiting += re.findall(r'from "\./([\w-]+)\.js"', text)
    assert reached <= kept


def themes() -> Iterator[tuple[str, dict[str, str]]]:
    text = (STATIC / "css" / "tokens.css").read_text()
    light, dark = text.split("@media", 1)[0], text.split(':root[data-theme="dark"]', 1)[1].split("}", 1)[0]
    system = text.split("@media", 1)[1].split(':root[data-theme="dark"]', 1)[0]
    read = [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6});", part)) for part in (light, dark, system)]
    assert read[1] == read[2], "the two dark themes differ"
    yield "light", read[0]
    yield "dark", {**read[0], **read[1]}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "tokens"), list(themes()), ids=("light", "dark"))
def test_text_has_aa_contrast(theme: str, tokens: dict[str, str]) -> None:
    """Every pair of text and ground that the components use reaches 4.5 : 1 in both themes."""
    pairs = [(t, g) for t in ("text", "text-2", "text-3", "link") for g in ("bg", "surface", "surface-2", "surface-3")]
    for tone in ("ok", "warn", "danger", "info", "hold", "neutral"):
        pairs += [(tone, f"{tone}-bg"), (f"on-{tone}", f"{tone}-solid"), (tone, "surface")]
    pairs += [("brand", "brand-tint"), ("brand", "surface"), ("on-brand", "brand"), ("on-brand", "brand-strong")]
    pairs += [("nav-text", "nav-bg"), ("nav-text-strong", "nav-bg-2")]
    weak = {pair: round(contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in pairs}
    assert {pair: value for pair, value in weak.items() if value < AA_TEXT} == {}


def test_nothing_is_set_below_16_px() -> None:
    """No style sheet makes text smaller than 16 px (1 rem)."""
    for path in SHEETS:
        for value, unit in re.findall(r"font(?:-size)?:[^;]*?(\d*\.?\d+)(px|rem|em|pt)\b", path.read_text()):
            size = float(value) * {"px": 1, "rem": 16, "em": 16, "pt": 4 / 3}[unit]
            assert size >= 16, f"{path.name}: {value}{unit}"


def test_login_page_in_both_languages(app: Flask, client: FlaskClient) -> None:
    """Chinese by default, English when asked for; what older shells and phones need is in the head."""
    page = client.get("/login").get_data(as_text=True)
    assert '<html lang="zh-CN"' in page
    assert "从乡镇到检验中心" in page
    for needed in ('name="renderer" content="webkit"', 'name="csrf-token"', 'name="clock"', "early.js"):
        assert needed in page
    assert "Every specimen, from the township" in client.get("/login?lang=en").get_data(as_text=True)


def test_error_pages_speak(app: Flask, client: FlaskClient) -> None:
    """A wrong address, an old browser and a lost line are answered in words, with a way on."""
    missing = client.get("/no-such-page")
    assert missing.status_code == 404
    text = missing.get_data(as_text=True)
    assert "没有找到" in text
    assert "回到首页" in text
    assert "Chrome 86" in client.get("/unsupported").get_data(as_text=True)
    assert "没有网络" in client.get("/offline").get_data(as_text=True)


def test_theme_cookie_is_in_the_first_byte(app: Flask, client: FlaskClient) -> None:
    """The chosen theme stands in the page itself, so that nothing flashes; a strange value is ignored."""
    client.set_cookie("theme", "dark")
    assert 'data-theme="dark"' in client.get("/login").get_data(as_text=True)
    client.set_cookie("theme", '"><x')
    assert "data-theme=" not in client.get("/login").get_data(as_text=True)


def test_shell_is_translated() -> None:
    """Every sentence of the shell, the macros and the core scripts has a Chinese translation."""
    core = [*_list((STATIC / "sw.js").read_text(), "js"), "chart", "map", "styleguide"]
    mine = tuple(f"templates/macros/{name}.html" for name in ("ui", "forms", "states", "scan"))
    mine += ("templates/base", "templates/errors/", "templates/auth/", "templates/styleguide")
    mine += tuple(f"static/js/{name}.js" for name in core)
    catalog, _clashes = i18n.merged_catalog()
    missing = {
        message
        for filename, _line, message in i18n.extracted()
        if filename.startswith(mine) and isinstance(message, str) and not getattr(catalog.get(message), "string", "")
    }
    assert missing == set()


def test_every_state_and_event_has_a_face(app: Flask) -> None:
    """Each state of a tube and of a consignment, and each custody event, has a word and an icon of its own."""
    with app.test_request_context("/?lang=en"):
        states = app.jinja_env.get_template("macros/states.html").make_module()
        for state in State:
            if state is not State.NEW:
                assert "#question" not in states.specimen_state(state.value), state
        for stage in ConsignmentState:
            if stage is not ConsignmentState.NEW:
                assert "#question" not in states.consignment_state(stage.value), stage
        for event in EventType:
            assert str(states.event_word(event.value)) != event.value
            assert event.value in states.EVENT_ICONS


def test_every_act_has_a_name_in_the_outbox() -> None:
    """The list of what waits on a device names every kind of act in words."""
    text = (STATIC / "js" / "strip.js").read_text()
    named = set(re.findall(r"(\w+): _\(", text))
    assert set(HANDLERS) <= named
