"""What each kind of file may hold, and the headings under which laboratory systems write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from logistics.errors import Invalid
from logistics.imports import values
from logistics.imports.cells import Cell
from logistics.imports.text import key


class Kind(StrEnum):
    """What a file lists."""

    SITES = "sites"
    TESTS = "tests"
    USERS = "users"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Field:
    """A column. The first heading is the one templates use; ``personal`` values never stand in messages."""

    name: str
    headings: tuple[str, ...]
    read: Callable[[Cell], Any]
    required: bool = False
    personal: bool = False


def _field(
    name: str,
    headings: str,
    read: Callable[[Cell], Any] = values.text,
    *,
    required: bool = False,
    personal: bool = False,
) -> Field:
    return Field(name, tuple(headings.split()), read, required, personal)


_SITES = (
    _field(
        "code",
        "机构编码 机构代码 单位编码 单位代码 站点编码 站点代码 编码 代码 code id site_code",
        values.code,
        required=True,
    ),
    _field("name_zh", "机构名称 单位名称 医院名称 站点名称 采样点 送检单位 名称 name_zh name", required=True),
    _field("name_en", "英文名称 英文名 name_en english_name"),
    _field("tier", "机构级别 级别 层级 机构类型 类型 类别 tier level", values.tier, required=True),
    _field("parent", "上级机构 上级单位 上级编码 上级机构编码 所属机构 隶属机构 隶属 parent parent_code"),
    _field("county_zh", "县区 区县 所属县 所属县区 所在县 county_zh county"),
    _field("county_en", "county_en"),
    _field("lat", "纬度 lat latitude", values.latitude),
    _field("lon", "经度 lon lng longitude", values.degrees),
    _field("opens_min", "开门时间 上班时间 营业开始 opens open", values.minutes),
    _field("closes_min", "关门时间 下班时间 营业结束 closes close", values.minutes),
    _field("pickup_from_min", "最早取件时间 取件开始 收样开始 pickup_from", values.minutes),
    _field("pickup_to_min", "最晚取件时间 取件结束 收样结束 pickup_to pickup_until", values.minutes),
    _field("cutoff_min", "接收截止时间 接收截止 截止时间 收样截止 cutoff receives_until", values.minutes),
    _field("service_min", "交接时长 停留时间 停留分钟 service_min", values.count),
    _field("contact_name", "联系人 负责人 contact contact_name"),
    _field("contact_phone", "联系电话 电话 联系方式 手机 phone contact_phone", values.text),
)
_TESTS = (
    _field("code", "项目编码 项目代码 检验项目编码 检验项目代码 编码 代码 code test_code", values.code, required=True),
    _field("name_zh", "项目名称 检验项目 检验项目名称 中文名称 名称 name_zh name", required=True),
    _field("name_en", "英文名称 英文名 name_en english_name"),
    _field("short_zh", "简称 项目简称 缩写 short_zh short"),
    _field("specimen_type", "标本类型 样本类型 标本种类 标本 样本 specimen_type specimen sample_type", required=True),
    _field("container", "容器 采集容器 管型 试管类型 采血管 试管 container tube"),
    _field(
        "temp_class", "保存温度 运输温度 温度 温度要求 温区 保存条件 运输条件 temp_class temperature", values.temp_class
    ),
    _field("stage", "分离状态 离心 是否离心 stage", values.stage),
    _field("turnaround_h", "周转时间 报告时限 出报告时间 报告时间 TAT turnaround_h", values.hours),
    _field(
        "performing", "检测单位 检测机构 检验单位 执行科室 执行机构 performing performing_sites lab", values.listing
    ),
)
_USERS = (
    _field("username", "用户名 账号 登录名 帐号 工号 username login", values.code, required=True),
    _field("name_zh", "姓名 中文名 显示名 人员姓名 name_zh name", required=True),
    _field("name_en", "英文名 拼音 name_en"),
    _field("role", "角色 岗位 职务 权限 role", values.role, required=True),
    _field("site", "所属机构 所属单位 机构 单位 机构名称 机构编码 站点 工作单位 site site_code"),
)
_ORDERS = (
    _field(
        "accession",
        "条码号 标本条码 样本条码 条形码 条码 标本号 样本号 标本编号 样本编号 标本条码号 样本条码号 试管条码 "
        "barcode accession accession_number accession_no specimen_id sample_id sample_no",
        values.code,
    ),
    _field(
        "order_number",
        "申请单号 医嘱号 申请号 检验申请单号 申请单编号 申请编号 单号 order_number order_no order placer_order_number",
        values.code,
    ),
    _field(
        "site",
        "送检单位 送检医院 采样点 送检机构 采样单位 采集单位 送检卫生院 医院名称 机构名称 单位名称 机构 单位 站点 "
        "site site_code collecting_site sender",
    ),
    _field("specimen_type", "标本类型 样本类型 标本种类 样本种类 标本 样本 specimen_type specimen sample_type"),
    _field("container", "容器 采集容器 管型 试管类型 采血管 试管 管色 container tube"),
    _field(
        "tests",
        "检验项目 项目名称 医嘱项目 检验项目名称 申请项目 检测项目 项目 组合项目 组合名称 医嘱名称 检验目的 "
        "项目代码 项目编码 "
        "tests test test_codes test_code items",
        values.listing,
        required=True,
    ),
    _field(
        "collected_at",
        "采集时间 采样时间 采血时间 抽血时间 采集日期时间 采样日期时间 collected_at collection_time",
        values.moment,
    ),
    _field("collected_on", "采集日期 采样日期 采血日期 collected_on collection_date", values.moment),
    _field(
        "ordered_at", "申请时间 开单时间 医嘱时间 申请日期 开单日期 ordered_at requested_at order_time", values.moment
    ),
    _field(
        "priority",
        "优先级 急诊 是否急诊 急诊标志 加急 是否加急 加急标志 紧急程度 priority urgency stat",
        values.priority,
    ),
    _field(
        "patient_ref",
        "姓名 患者姓名 病人姓名 受检者 受检者姓名 patient patient_name name",
        values.masked,
        personal=True,
    ),
    _field("sex", "性别 患者性别 sex gender", values.sex),
    _field("age", "年龄 患者年龄 age", values.age),
    _field("department", "科室 送检科室 申请科室 开单科室 病区 科别 department ward"),
    _field("collector", "采集人 采样人 采集者 采样者 采血人 collector collected_by"),
)
FIELDS: Mapping[Kind, tuple[Field, ...]] = {
    Kind.SITES: _SITES,
    Kind.TESTS: _TESTS,
    Kind.USERS: _USERS,
    Kind.ORDERS: _ORDERS,
}
# Columns with personal data that Labrelay has no use for: never read, named in the preview as left out.
_PERSONAL_HEADINGS = (
    "身份证 身份证号 身份证号码 证件号 证件号码 证件类型 电话 联系电话 手机 手机号 手机号码 患者电话 住址 地址 "
    "家庭住址 出生日期 生日 病历号 门诊号 住院号 病案号 就诊卡号 社保卡号 医保卡号 医保号 患者编号 患者ID "
    "床号 民族 诊断 临床诊断 "
    "id_number phone mobile address birthday birth_date patient_id mrn bed diagnosis"
)
PERSONAL = frozenset(key(heading) for heading in _PERSONAL_HEADINGS.split())


def fields_of(kind: Kind | str) -> tuple[Field, ...]:
    """Raises Invalid ``import_kind_unknown``."""
    try:
        return FIELDS[Kind(kind)]
    except ValueError:
        raise Invalid("import_kind_unknown", field="kind", value=str(kind)[:40], known=", ".join(Kind)) from None


def synonyms(kind: Kind) -> dict[str, Field]:
    """``key(heading)`` → its field; the field's own name counts as well."""
    found: dict[str, Field] = {}
    for field in fields_of(kind):
        for heading in (*field.headings, field.name):
            found.setdefault(key(heading), field)
    return found
