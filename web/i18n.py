"""Languages: choosing the locale, merging the area files into one catalogue, and serving it to scripts.

Each area keeps its own ``web/translations/zh_CN/<area>.po``; ``compile_catalogs`` merges them into the
``messages.mo`` that Babel reads (generated at set-up, never committed). English is the msgid itself.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from babel import Locale
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, request, session
from flask_babel import Babel, get_locale
from flask_login import current_user

LOCALES = {"zh_CN": "中文", "en": "English"}
PARSED = {code: Locale.parse(code) for code in LOCALES}  # parsing one takes as long as ten lines of a page
CODES = {found: code for code, found in PARSED.items()}
DEFAULT_LOCALE = "zh_CN"
TIMEZONE = "Asia/Shanghai"
ROOT = Path(__file__).resolve().parent
TRANSLATIONS = ROOT / "translations"
METHODS = [
    ("**/vendor/**", "ignore"),
    ("frontend/**", "ignore"),
    ("**.py", "python"),
    ("templates/**.html", "jinja2"),
    ("static/js/**.js", "javascript"),
    ("static/sw.js", "javascript"),
]
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "_l": None,
    "ngettext": (1, 2),
    "N_": None,
}


def current_locale() -> str:
    """Our name of the language in force. Babel itself calls zh_CN by its full name, zh_Hans_CN."""
    found = get_locale()
    return CODES.get(found, DEFAULT_LOCALE) if found else DEFAULT_LOCALE


def html_lang() -> str:
    return current_locale().replace("_", "-")


def mo_file(locale: str) -> Path:
    """Where Babel looks for the compiled catalogue: under the language's full name."""
    return TRANSLATIONS / str(Locale.parse(locale)) / "LC_MESSAGES" / "messages.mo"


def choose_locale() -> str:
    """Explicit choice (query, session) → the user's own → Chinese. The browser's language is not asked:
    hospital PCs are often set to English by accident."""
    for wanted in (request.args.get("lang"), session.get("locale"), getattr(current_user, "locale", None)):
        if wanted in LOCALES:
            return str(wanted)
    return DEFAULT_LOCALE


def init_app(app: Flask) -> None:
    app.config.setdefault("BABEL_DEFAULT_LOCALE", DEFAULT_LOCALE)
    app.config.setdefault("BABEL_DEFAULT_TIMEZONE", TIMEZONE)
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", str(TRANSLATIONS))
    if not mo_file(DEFAULT_LOCALE).exists():
        compile_catalogs()
    Babel(app, locale_selector=lambda: PARSED[choose_locale()])
    # Tables of words name them with N_ and translate the one that is shown: a table has a row for every state.
    app.jinja_env.globals["N_"] = str

    @app.before_request
    def _remember_language() -> None:
        wanted = request.args.get("lang")
        if wanted in LOCALES:
            session["locale"] = wanted


def area_files(locale: str = DEFAULT_LOCALE) -> list[Path]:
    return sorted((TRANSLATIONS / locale).glob("*.po"))


def merged_catalog(locale: str = DEFAULT_LOCALE) -> tuple[Catalog, list[str]]:
    """All areas as one catalogue, and the msgids that two areas translate differently."""
    merged = Catalog(locale=locale)
    clashes = []
    for path in area_files(locale):
        catalog = read_po(io.BytesIO(path.read_bytes()), locale=locale)
        for message in catalog:
            if not message.id:
                continue
            known = merged.get(message.id)
            if known is not None and known.string != message.string:
                clashes.append(f"{path.name}: {message.id!r}")
                continue
            merged.add(message.id, message.string, flags=message.flags)
    return merged, clashes


def compile_catalogs() -> None:
    """Written beside and moved into place: other processes read the catalogues meanwhile, and never half of one."""
    for locale in LOCALES:
        if not area_files(locale):
            continue
        catalog, _clashes = merged_catalog(locale)
        target = mo_file(locale)
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent) as beside:
            fresh = Path(beside, target.name)
            with fresh.open("wb") as handle:
                write_mo(handle, catalog)
            fresh.replace(target)


def extracted() -> Iterator[tuple[str, int, Any]]:
    """(file, line, msgid) of everything that a user may read."""
    options = {"**": {"encoding": "utf-8"}}
    found = extract_from_dir(str(ROOT), method_map=METHODS, options_map=options, keywords=KEYWORDS, comment_tags=())
    for filename, line, message, _comments, _context in found:
        if message and message != "":
            yield filename, line, message


def problems() -> list[str]:
    """What keeps the Chinese catalogue from being complete: missing, fuzzy, clashing, unused, wrong placeholders."""
    catalog, clashes = merged_catalog()
    found = [f"translated twice: {clash}" for clash in clashes]
    used = set()
    for filename, line, message in extracted():
        key = message[0] if isinstance(message, tuple) else message
        used.add(key)
        entry = catalog.get(key)
        if entry is None or not entry.string or (isinstance(entry.string, tuple) and not all(entry.string)):
            found.append(f"missing: {filename}:{line}: {message!r}")
        elif entry.fuzzy:
            found.append(f"fuzzy: {key!r}")
        elif (
            isinstance(message, str)
            and isinstance(entry.string, str)
            and _placeholders(message) != _placeholders(entry.string)
        ):
            found.append(f"placeholders differ: {key!r}")
    for entry in catalog:
        key = entry.id[0] if isinstance(entry.id, (tuple, list)) else entry.id
        if key and key not in used:
            found.append(f"unused: {key!r}")
    shown = {message for _file, message in _script_messages()}
    if len({script_key(message) for message in shown}) < len(shown):
        found.append("two sentences of scripts have the same key: change one of them")
    return found


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"%\((\w+)\)", text))


@functools.cache
def _script_messages() -> tuple[tuple[str, str], ...]:
    """(file, msgid) of every message that a script shows."""
    return tuple((f, m if isinstance(m, str) else m[0]) for f, _line, m in extracted() if f.endswith(".js"))


def script_pages() -> frozenset[str]:
    """Names of the pages that have scripts of their own: ``courier`` for js/pages/courier.js."""
    return frozenset(path.stem for path in (ROOT / "static/js/pages").glob("*.js"))


_IMPORTS = re.compile(r"""(?:from|import\()\s*["'](\.[^"']+\.js)["']""")


def _scripts_of(page: str) -> frozenset[str]:
    """The shell, the page's scripts, and all that they import: paths as ``extracted`` gives them."""
    waiting = [ROOT / "static/js/shell.js", ROOT / f"static/js/pages/{page}.js"]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop().resolve()
        if path in found or not path.is_file() or "vendor" in path.parts:
            continue
        found.add(path)
        waiting += [path.parent / name for name in _IMPORTS.findall(path.read_text(encoding="utf-8"))]
    return frozenset(str(path.relative_to(ROOT)) for path in found)


def script_key(msgid: str) -> str:
    """What a sentence is called in the catalogue of scripts: FNV-1a over its UTF-16 units, as in static/js/i18n.js."""
    value = 0x811C9DC5
    units = msgid.encode("utf-16-le")
    for place in range(0, len(units), 2):
        value = ((value ^ int.from_bytes(units[place : place + 2], "little")) * 0x01000193) & 0xFFFFFFFF
    return _base36(value % 36**5)


def _base36(value: int) -> str:
    digits = ""
    while value or not digits:
        value, last = divmod(value, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[last] + digits
    return digits


@functools.cache
def script_catalog(locale: str, page: str = "") -> dict[str, str]:
    """Key → translation of what scripts show: all of them, or the shared ones and those of one page, because a
    phone at the edge of the net should not wait for the words of every other page."""
    if locale == "en":
        return {}
    catalog, _clashes = merged_catalog(locale)
    scripts = _scripts_of(page) if page else None
    wanted = {message for file, message in _script_messages() if scripts is None or file in scripts}
    return {
        script_key(msgid): str(entry.string)
        for msgid in sorted(wanted)
        if (entry := catalog.get(msgid)) and entry.string
    }
