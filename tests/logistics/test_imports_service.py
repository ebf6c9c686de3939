"""Imports against the database: names found or suggested, all or nothing, the same file twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.errors import Conflict, Forbidden, Invalid
from logistics.imports import read_table
from logistics.models import CustodyEvent, Order, Site, Specimen, Test, TestSite, User
from logistics.services import importing, network, seed
from logistics.services.import_checked import Checked, Result

NOW = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
EVERYTHING = Scope("administrator", None, everything=True)
SHICHENG, CHONGYANG, CITY = "421223102", "H421223", "H421200"
HEAD = "条码号,申请单号,送检单位,姓名,标本类型,检验项目,采集时间\n"
TWO_TUBES = (
    HEAD
    + "1001,A1,崇阳县石城镇卫生院,张三丰,静脉血,血常规、糖化血红蛋白,2026-03-09 07:30\n"
    + "1002,A1,石城镇,张三丰,血清,肝功+肾功,2026年3月9日 7时30分\n"
)

pytestmark = pytest.mark.both_databases


@pytest.fixture
def net(session: Session) -> Session:
    """The Xianning network with its tests and three users."""
    seed.xianning_sites(session)
    seed.tests(session)
    seed.performing_sites(session)
    for name, role, site in (
        ("admin", "administrator", None), ("nurse", "collector", SHICHENG), ("lab", "receiver", CITY),
    ):  # fmt: skip
        session.add(User(username=name, role=role, site_code=site))
    session.commit()
    return session


def preview(
    session: Session, kind: str, text: str, *, who: str = "admin", now: datetime = NOW, site: str | None = None
) -> Checked:
    scope = network.scope_of_user(session, user(session, who))
    return importing.preview(session, kind, read_table(text.encode(), "x.csv"), scope=scope, now=now, default_site=site)


def user(session: Session, name: str) -> User:
    return session.scalars(select(User).where(User.username == name)).one()


def take(session: Session, kind: str, text: str, *, who: str = "admin", now: datetime = NOW) -> Result:
    checked = preview(session, kind, text, who=who, now=now)
    assert not checked.errors, checked.errors
    actor = user(session, who)
    result = importing.apply(session, checked, actor=actor, scope=network.scope_of_user(session, actor), now=now)
    session.commit()
    return result


def count(session: Session, *tables: type) -> list[int]:
    return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def codes(checked: Checked) -> Sequence[tuple[int, str, str]]:
    return [(error.line, error.field, error.code) for error in checked.errors]


def test_orders_become_tubes_on_their_way(net: Session) -> None:
    """Names in the words of the field find their sites and tests; destination, order and custody events are there."""
    result = take(net, "orders", TWO_TUBES, who="nurse")
    assert result.created == ("1001", "1002")
    first, second = net.scalars(select(Specimen).order_by(Specimen.accession))
    assert {test.test_code for test in first.tests} == {"CBC", "HBA1C"}
    assert {test.test_code for test in second.tests} == {"LFT", "RFT"}
    assert (first.collecting_site_code, first.destination_code, first.state) == (SHICHENG, CHONGYANG, "collected")
    assert first.collected_at == datetime(2026, 3, 8, 23, 30, tzinfo=UTC)
    assert first.patient_ref == "张**"
    assert first.order_id == second.order_id
    assert sorted(net.scalars(select(CustodyEvent.type))) == ["collected", "collected", "registered", "registered"]


def test_the_same_orders_twice_change_nothing(net: Session) -> None:
    """Again, a day later, by somebody else: no tube, order or event more."""
    take(net, "orders", TWO_TUBES, who="nurse")
    before = count(net, Specimen, Order, CustodyEvent)
    for who, now in (("nurse", NOW), ("nurse", NOW + timedelta(days=1)), ("lab", NOW + timedelta(days=2))):
        result = take(net, "orders", TWO_TUBES, who=who, now=now)
        assert (result.created, result.unchanged) == ((), 2)
    assert count(net, Specimen, Order, CustodyEvent) == before


def test_orders_without_tube_numbers_get_ours_once(net: Session) -> None:
    """The order number and the tests are then the key; the number issued has a check character."""
    text = HEAD + ",A7,石城镇,,,血常规,\n"
    take(net, "orders", text, who="nurse")
    take(net, "orders", text, who="nurse", now=NOW + timedelta(hours=3))
    tube = net.scalars(select(Specimen)).one()
    assert tube.accession.startswith("LR260309")
    assert tube.state == "registered"


def test_a_barcode_may_come_back_after_months(net: Session) -> None:
    """Within the window it is the same tube, later a new one, and at another site always another."""
    row = HEAD + "1001,{},石城镇,,,血常规,{}\n"
    take(net, "orders", row.format("A1", "2026-03-09 07:30"), who="nurse")
    take(net, "orders", HEAD + "1001,B1,白霓镇,,,血常规,2026-03-09 07:30\n", who="lab")
    take(net, "orders", row.format("A2", "2026-07-09 07:30"), who="nurse", now=NOW + timedelta(days=125))
    assert count(net, Specimen) == [3]


def test_every_bad_row_is_named_with_suggestions(net: Session) -> None:
    """Unknown and ambiguous names, two tubes in one row, the future, another tube's tests; nothing is written."""
    take(net, "orders", TWO_TUBES, who="nurse")
    text = (
        HEAD
        + "2001,B1,石成镇,,,血常规,\n"
        + "2002,B2,石城镇,,,血长规,\n"
        + "2003,B3,石城镇,,,血常规、肝功能,\n"
        + "2004,B4,石城镇,,血清,血常规,\n"
        + "2005,B5,石城镇,,,血常规,2026-03-10 07:30\n"
        + "1001,A1,石城镇,,,血常规,2026-03-09 07:30\n"
        + "2007,B7,白霓镇,,,血常规,\n"
        + "2008,B8,石城镇,,羊膜,血常规,\n"
    )
    before = count(net, Specimen, Order, CustodyEvent)
    checked = preview(net, "orders", text, who="nurse")
    assert codes(checked) == [
        (2, "site", "import_site_unknown_suggest"), (3, "tests", "import_test_unknown_suggest"),
        (4, "tests", "import_two_tubes"), (5, "specimen_type", "specimen_type_differs"),
        (6, "collected_at", "time_in_future"), (7, "tests", "order_differs"), (8, "site", "site_not_yours"),
        (9, "specimen_type", "specimen_type_unknown"),
    ]  # fmt: skip
    assert "石城镇 (421223102)" in str(checked.errors[0].params["suggestions"])
    assert "血常规 (CBC)" in str(checked.errors[1].params["suggestions"])
    assert checked.errors[0].column == "送检单位"
    actor = user(net, "nurse")
    with pytest.raises(Invalid) as caught:
        importing.apply(net, checked, actor=actor, scope=network.scope_of_user(net, actor), now=NOW)
    assert caught.value.code == "import_has_errors"
    assert count(net, Specimen, Order, CustodyEvent) == before


def test_a_refusal_half_way_keeps_nothing(net: Session) -> None:
    """When custody refuses one row, the caller rolls everything back."""
    checked = preview(net, "orders", TWO_TUBES, who="nurse")
    auditor = User(username="eyes", role="auditor", site_code=None)
    net.add(auditor)
    net.commit()
    with pytest.raises(Conflict) as caught:
        importing.apply(net, checked, actor=auditor, scope=EVERYTHING, now=NOW)
    assert caught.value.code == "import_row_refused"
    assert caught.value.params["line"] == 2
    net.rollback()
    assert count(net, Specimen, Order, CustodyEvent) == [0, 0, 0]


def test_a_file_without_sites_is_for_the_default_site(net: Session) -> None:
    """A township's own export often names no site."""
    text = "条码号,检验项目\n1001,血常规\n"
    assert codes(preview(net, "orders", text, who="nurse")) == [(2, "site", "value_missing")]
    assert not preview(net, "orders", text, who="nurse", site=SHICHENG).errors


def test_special_tests_go_to_the_city(net: Session) -> None:
    """The destination follows from who performs the test."""
    take(net, "orders", HEAD + "1009,A9,石城镇,,,乙肝DNA,2026-03-09 07:30\n", who="nurse")
    assert net.scalars(select(Specimen)).one().destination_code == CITY


def test_sites_in_any_order_and_twice(net: Session) -> None:
    """Children before parents in the file; empty cells leave what is there; the second time nothing changes."""
    head = "机构编码,机构名称,级别,上级机构,纬度,经度,上班时间\n"
    text = (
        head
        + "N2,新桥镇卫生院,乡镇,N1,29.5,114.0,08:00\n"
        + "N1,新县人民医院,县,H421200,29.6,114.1,\n421223102,石城镇,乡镇,,,,07:30\n"
    )
    result = take(net, "sites", text)
    assert (result.created, result.changed) == (("N2", "N1"), ("421223102",))
    changed = net.get_one(Site, SHICHENG)
    assert (changed.opens_min, changed.parent_code, changed.lat) == (450, CHONGYANG, pytest.approx(29.55, abs=0.2))
    again = take(net, "sites", text)
    assert (again.created, again.changed, again.unchanged) == ((), (), 3)


def test_sites_that_cannot_be(net: Session) -> None:
    """Circles, half positions, closing before opening, a township above which nothing stands."""
    head = "机构编码,机构名称,级别,上级机构,纬度,经度,上班时间,下班时间\n"
    text = head + "N1,甲,县,N2,,,,\nN2,乙,县,N1,,,,\nN3,丙,乡镇,,29.5,,,\nN4,丁,乡镇,H421223,,,17:00,08:00\n"
    assert codes(preview(net, "sites", text)) == [
        (2, "parent", "parent_circle"), (3, "parent", "parent_circle"), (4, "parent", "parent_missing"),
        (4, "lat", "position_half"), (5, "closes_min", "times_reversed"),
    ]  # fmt: skip


def test_tests_with_their_laboratories(net: Session) -> None:
    """Words for specimen and container become codes; laboratories are found by name; twice changes nothing."""
    text = "项目编码,项目名称,标本类型,管型,运输温度,报告时限,检测单位\n" + (
        "MG,血清镁,血清,黄头管,冷藏,8小时,崇阳县人民医院、H421200\n"
    )
    assert take(net, "tests", text).created == ("MG",)
    test = net.get_one(Test, "MG")
    assert (test.specimen_type, test.container, test.temp_class, test.turnaround_h) == ("SER", "SST", "cold_2_8", 8.0)
    assert set(net.scalars(select(TestSite.site_code).where(TestSite.test_code == "MG"))) == {CHONGYANG, CITY}
    assert take(net, "tests", text).unchanged == 1
    fewer = text.replace("崇阳县人民医院、", "")
    assert take(net, "tests", fewer).changed == ("MG",)
    assert list(net.scalars(select(TestSite.site_code).where(TestSite.test_code == "MG"))) == [CITY]


def test_users_cannot_log_in_before_they_have_a_password(net: Session) -> None:
    """No password comes from a file; a changed role ends the sessions of its user."""
    text = "用户名,姓名,角色,所属机构\nZhangSan,张三,{},石城镇\n"
    assert take(net, "users", text.format("采样员")).created == ("zhangsan",)
    created = user(net, "zhangsan")
    assert (created.password_hash, created.must_change_password, created.site_code) == ("", True, SHICHENG)
    assert take(net, "users", text.format("采样员")).unchanged == 1
    version = created.session_version
    assert take(net, "users", text.format("转运员")).changed == ("zhangsan",)
    assert user(net, "zhangsan").session_version == version + 1
    bad = "用户名,姓名,角色,所属机构\nx,王,采样员,石城镇\nliu,刘,采样员,\n"
    assert codes(preview(net, "users", bad)) == [
        (2, "username", "username_malformed"),
        (3, "site", "site_needed_for_role"),
    ]


@pytest.mark.parametrize("kind", ["sites", "tests", "users"])
def test_only_the_whole_network_may_change_master_data(net: Session, kind: str) -> None:
    """A manager of one county imports orders at most."""
    refused: Callable[[], object] = lambda: preview(net, kind, "编码,名称,机构编码,用户名\n1,2,3,4\n", who="lab")  # noqa: E731
    with pytest.raises(Forbidden) as caught:
        refused()
    assert caught.value.code == "import_kind_forbidden"
