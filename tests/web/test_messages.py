"""Every code that is raised has its sentence, every sentence its code, and placeholders that the code fills."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from web import messages
from web.errors import HTTP_CODES

ROOT = Path(__file__).resolve().parents[2]
ERRORS = {"Invalid", "Forbidden", "NotFound", "Conflict", "Unavailable", "LabrelayError", "Refusal"}
PACKAGES = ("logistics", "telemetry", "web")
# How codes are put together at run time: a prefix says where a code of the planner is shown, an ending what is added.
PREFIXES = ("unserved_", "remedy_", "notice_", "move_")
ENDINGS = ("_area", "_suggest")


def files() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not {"versions", "node_modules", "__pycache__"} & set(path.parts):
                yield path


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file, read once for every test that looks into it."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def raised() -> dict[str, str]:
    """code → file:line of every code that an error is made with as a constant."""
    found = {}
    for path in files():
        for node in nodes(path):
            if isinstance(node, ast.Call) and name_of(node.func) in ERRORS and node.args:
                first = node.args[0]
                chosen = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                for one in chosen:
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        found[one.value] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def constants() -> set[str]:
    """Every string constant of the packages outside web/messages, and every word of the scripts and templates."""
    found: set[str] = set()
    for path in [*files(), *sorted((ROOT / "routing").rglob("*.py"))]:
        if "messages" in path.parts:
            continue
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    for folder, pattern in (("web/static/js", "*.js"), ("web/templates", "*.html")):
        for path in (ROOT / folder).rglob(pattern):
            found |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return found


def test_every_raised_code_has_a_sentence() -> None:
    """A code without a sentence would be shown bare to a nurse."""
    known = set(messages.MESSAGES)
    missing = {code: place for code, place in raised().items() if code not in known}
    assert missing == {}, "add them to web/messages/<area>.py"


def test_http_errors_have_sentences() -> None:
    """The codes of plain HTTP errors are there, too."""
    assert set(HTTP_CODES.values()) - set(messages.MESSAGES) == set()


def test_no_sentence_is_left_over() -> None:
    """A sentence whose code nothing makes any more is taken out."""
    used = constants()

    def made(code: str) -> bool:
        stem = next((code.removeprefix(prefix) for prefix in PREFIXES if code.startswith(prefix)), code)
        short = next((stem.removesuffix(end) for end in ENDINGS if stem.endswith(end)), stem)
        bare = short.removeprefix("import_")
        return bool({code, stem, short, bare} & used) or f"{bare}_" in used

    assert [code for code in sorted(messages.MESSAGES) if not made(code)] == []


@pytest.mark.parametrize("code", sorted(messages.MESSAGES))
def test_codes_are_stable_words(code: str) -> None:
    """Small letters, digits and underscores: fit for programs to compare."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", code)


def test_sentences_are_sentences() -> None:
    """Each is whole in English: not empty, with an end, and no stray percent sign that would break filling it."""
    for code, lazy in messages.MESSAGES.items():
        sentence = str(lazy._args[0]) if hasattr(lazy, "_args") else str(lazy)
        assert sentence, code
        assert sentence[-1] in ".?!…)s" or sentence.endswith("%(detail)s"), f"{code}: {sentence!r}"
        assert not re.search(r"%(?!\(\w+\)[sd]|%)", sentence), f"{code}: {sentence!r}"


def test_params_fill_the_placeholders() -> None:
    """What a sentence names is among the names that its code is raised with, where those can be read."""
    wrong = []
    for path in files():
        for node in nodes(path):
            if not (isinstance(node, ast.Call) and name_of(node.func) in ERRORS and node.args):
                continue
            first = node.args[0]
            if not isinstance(first, ast.Constant) or first.value not in messages.MESSAGES:
                continue
            given = {keyword.arg for keyword in node.keywords}
            if None in given:  # **params
                continue
            lazy = messages.MESSAGES[first.value]
            sentence = str(lazy._args[0]) if hasattr(lazy, "_args") else str(lazy)
            needs = set(re.findall(r"%\((\w+)\)", sentence))
            if needs - given:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {first.value} lacks {sorted(needs - given)}")
    assert wrong == []
