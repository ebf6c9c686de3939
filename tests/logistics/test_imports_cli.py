"""``labrelay import`` as an administrator types it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import db
from logistics.models import Specimen, User
from logistics.services import seed
from web.auth import authenticate
from web.cli import import_ as command

SHICHENG = "421223102"


@pytest.fixture
def shell(app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command runs in this process, on the application of the test, with a session of its own."""
    seed.xianning_sites(session)
    seed.tests(session)
    seed.performing_sites(session)
    session.add(User(username="admin", role="administrator"))
    session.add(User(username="nurse", role="collector", site_code=SHICHENG))
    session.commit()
    monkeypatch.setattr(command, "create_app", lambda _settings: app)
    monkeypatch.setattr(command, "settings", lambda: None)
    return CliRunner()


def run(shell: CliRunner, *words: str, typed: str = "") -> Result:
    db.session.rollback()  # SQLite has one writer: the test's own session must not hold it
    return shell.invoke(command.import_, list(words), input=typed)


def write(folder: Path, text: str) -> str:
    file = folder / "file.csv"
    file.write_bytes(text.encode("gb18030"))
    return str(file)


def test_bad_rows_are_said_in_words(shell: CliRunner, session: Session, tmp_path: Path) -> None:
    """Line, column and reason in Chinese, exit code 1, nothing written."""
    file = write(tmp_path, "条码号,送检单位,检验项目,身份证号\n1001,石成镇,血常规,4223\n1002,石城镇,血常规,\n")
    result = run(shell, "orders", file, "--as", "nurse", "--yes")
    assert result.exit_code == 1
    assert "第 2 行，“送检单位”列：未知的机构“石成镇”，是否为：石城镇 (421223102)" in result.output
    assert "个人信息，未读取：身份证号" in result.output
    assert "4223," not in result.output
    assert session.scalars(select(Specimen)).all() == []


def test_orders_are_shown_asked_for_and_taken(shell: CliRunner, session: Session, tmp_path: Path) -> None:
    """No without a yes; then all; then 'nothing to do'. English on request."""
    file = write(tmp_path, "我院条码,送检单位,检验项目\n1001,石城镇,血常规\n")
    words = ("orders", file, "--as", "nurse", "--map", "我院条码=accession", "--lang", "en")
    assert run(shell, *words, typed="n\n").exit_code == 1
    assert session.scalars(select(Specimen)).all() == []
    done = run(shell, *words, typed="y\n")
    assert "1 rows: 1 new, 0 changed, 0 unchanged, 0 repeated, 0 errors." in done.output
    assert "Done: 1 new" in done.output
    session.rollback()
    assert [tube.accession for tube in session.scalars(select(Specimen))] == ["1001"]
    assert "Nothing to do" in run(shell, *words).output


def test_new_users_get_first_passwords_in_a_private_file(shell: CliRunner, session: Session, tmp_path: Path) -> None:
    """Readable by the owner alone; the password works and must be changed."""
    file = write(tmp_path, "用户名,姓名,角色,所属机构\nlihs,李护士,采样员,石城镇\n")
    out = tmp_path / "first.csv"
    assert run(shell, "users", file, "--yes", "--passwords", str(out)).exit_code == 0
    assert os.stat(out).st_mode & 0o777 == 0o600
    name, word = out.read_text().strip().split(",")
    session.rollback()
    user = authenticate(session, name, word)
    assert user.must_change_password
    again = write(tmp_path, "用户名,姓名,角色,所属机构\nzhao,赵护士,采样员,石城镇\n")
    refused = run(shell, "users", again, "--yes", "--passwords", str(out))
    assert refused.exit_code == 2
    assert out.read_text().startswith("lihs,")
    session.rollback()
    assert session.scalars(select(User).where(User.username == "zhao")).first() is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("orders", "FILE"), "--as"), (("orders", "FILE", "--as", "nobody"), "--as"),
        (("sites", "FILE", "--map", "x"), "--map"), (("tests", "FILE", "--map", "没有=code"), "没有"),
    ],
)  # fmt: skip
def test_wrong_use_is_explained(shell: CliRunner, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """A sentence and an exit code, no traceback."""
    file = write(tmp_path, "条码号,送检单位,检验项目,编码,名称\n1001,石城镇,血常规,1,2\n")
    result = run(shell, *[file if word == "FILE" else word for word in words])
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output
