"""Chinese whole, English whole, and the language that the reader chose."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog
from flask import Flask
from flask.testing import FlaskClient

from web import i18n

HAN = re.compile(r"[\u4e00-\u9fff]")


def test_the_chinese_catalogue_is_whole() -> None:
    """No text without translation, none translated twice in two ways, none left over, no placeholder lost."""
    assert i18n.problems() == []


def test_a_catalogue_half_written_is_read_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled beside running processes, each reads the whole old file until the whole new one is in its place."""
    monkeypatch.setattr(i18n, "mo_file", lambda locale: tmp_path / locale / "messages.mo")
    i18n.compile_catalogs()
    whole = i18n.mo_file("zh_CN").read_bytes()

    def die(handle: Any, _catalog: Catalog) -> None:
        handle.write(whole[:2])
        raise OSError("no space left on device")

    monkeypatch.setattr(i18n, "write_mo", die)
    with pytest.raises(OSError, match="no space left"):
        i18n.compile_catalogs()
    assert i18n.mo_file("zh_CN").read_bytes() == whole
    assert [path.name for path in tmp_path.glob("*/*")] == ["messages.mo"]


def test_english_is_whole() -> None:
    """English is the text itself: every one has words, and none is Chinese by mistake."""
    for filename, line, message in i18n.extracted():
        for text in message if isinstance(message, tuple) else (message,):
            assert text.strip(), f"{filename}:{line}"
            # A sentence may quote what stands in a Chinese file; it is a sentence by its English words.
            assert not HAN.search(text) or len(re.findall(r"[A-Za-z]{2,}", text)) >= 3, f"{filename}:{line}: {text!r}"


def test_translations_are_chinese() -> None:
    """A translation of words holds Chinese characters; only names and units may stay as they are."""
    catalog, _ = i18n.merged_catalog()
    bare = []
    for entry in catalog:
        if not entry.id:
            continue
        source = entry.id[0] if isinstance(entry.id, (list, tuple)) else str(entry.id)
        target = entry.string[0] if isinstance(entry.string, (list, tuple)) else str(entry.string)
        words = re.findall(r"[A-Za-z]{4,}", re.sub(r"%\(\w+\)[sd]", "", source))
        if words and target and not HAN.search(target):
            bare.append(source)
    allowed = {"Labrelay", "From %(origin)s to %(site)s."}  # a name; an arrow
    assert [text for text in bare if text not in allowed] == []


def test_language_is_chosen_and_kept(app: Flask, client: FlaskClient, new_client: Callable[[], FlaskClient]) -> None:
    """Chinese without being asked, whatever the browser prefers; a choice is kept for the session."""
    assert '<html lang="zh-CN"' in client.get("/login", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert '<html lang="en"' in client.get("/login?lang=en").get_data(as_text=True)
    assert '<html lang="en"' in client.get("/login").get_data(as_text=True)
    assert '<html lang="zh-CN"' in new_client().get("/login?lang=xx").get_data(as_text=True)


def test_scripts_get_their_texts(client: FlaskClient) -> None:
    """The scripts' catalogue holds what scripts show, in Chinese; English needs none."""
    chinese = client.get("/i18n/zh_CN.json")
    texts = chinese.get_json()
    assert len(texts) > 50
    assert all(texts.values())
    assert texts[i18n.script_key("Choose…")] == "请选择…"
    assert client.get("/i18n/en.json").get_json() == {}
    assert client.get("/i18n/fr.json").status_code == 404
