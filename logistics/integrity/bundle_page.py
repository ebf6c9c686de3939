"""The page of a bundle that people read, in Chinese and English: made from the other files alone, so that it can be
made again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

from logistics.domain.custody import Event, read_text
from logistics.domain.digests import ZONE, Digest
from logistics.domain.set_codes import of_stream
from logistics.integrity import bundle_format as form
from logistics.integrity.keys import shown

WORDS = {
    "registered": "登记", "collected": "采集", "collection_failed": "采集失败", "packed": "装箱", "unpacked": "取出",
    "sealed": "封箱", "unsealed": "拆封", "handed_over": "交接", "handed_in": "中转寄存", "arrived": "到达",
    "received": "接收", "received_unexpected": "意外接收", "declared_missing": "申报缺失", "accepted": "合格接收",
    "accepted_concession": "让步接收", "rejected": "拒收", "tests_rejected": "部分项目拒收", "held": "暂缓",
    "released": "放行", "lost": "丢失", "found": "找到", "found_at_origin": "在原单位找到", "recalled": "召回",
    "returned": "召回退回", "disposed": "销毁", "noted": "备注", "corrected": "更正", "opened": "建单",
    "unexpected_tube": "单外标本", "deviation": "异常", "settled": "异常处理", "closed": "接收完成",
    "cancelled": "取消", "handover_signed": "交方签名", "seal_broken": "封签损坏", "resealed": "重新封箱",
}  # fmt: skip
MEANINGS = {"pickup": "取件 pickup", "delivery": "送达 delivery", "transfer": "中转 transfer"}
STYLE = """
body{font:16px/1.5 system-ui,"WenQuanYi Micro Hei","Microsoft YaHei",sans-serif;margin:2rem auto;max-width:72rem;
padding:0 1rem;color:#18222d;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #c5ced8;padding:.35rem .5rem;text-align:left;
vertical-align:top}th{background:#eef2f6}code{font-family:ui-monospace,monospace;font-size:.95em;
overflow-wrap:anywhere}.q{color:#4a5868}@media print{body{margin:0}h2,tr{break-inside:avoid}}
"""


def page(
    record: form.Record,
    events: Sequence[form.EventLine],
    digests: Sequence[form.DigestLine],
    manifests: Sequence[form.ManifestLine],
    keys: Sequence[form.KeyLine],
) -> str:
    """One HTML file that needs nothing else."""
    title = {"consignment": "转运单 Consignment", "specimen": "标本 Specimen"}.get(record.kind, record.kind)
    by_stream: dict[str, list[Event]] = {stream: [] for stream in record.streams}
    for line in events:
        by_stream.setdefault(line.stream, []).append(read_text(line.text))
    parts = [
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">',
        f"<title>{escape(title)} {escape(record.key)}</title>"
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>',
        f"<h1>{escape(title)} <code>{escape(record.key)}</code> · 流转记录 Chain of custody</h1>",
        f'<p class="q">生成时间 Made at {_time(record.made_at)}（Asia/Shanghai）</p>',
        _how_to_verify(keys),
        _signatures(record, by_stream),
    ]
    parts += [_stream(record, stream, some) for stream, some in by_stream.items()]
    parts += [_manifests(manifests), _digests(digests), "</body></html>\n"]
    return "\n".join(part for part in parts if part)


def _how_to_verify(keys: Sequence[form.KeyLine]) -> str:
    prints = "".join(f"<li><code>{escape(shown(one.fingerprint))}</code></li>" for one in keys)
    return (
        "<h2>如何核验 How to verify</h2>"
        "<p>在任何装有 Labrelay 的电脑上运行（不需要数据库）：<br>On any machine with Labrelay, without a database: "
        "<code>labrelay verify 本文件.zip --key 公钥.pem</code></p>"
        "<p>每个事件的哈希包含前一事件的哈希；每日摘要由实验室的 Ed25519 密钥签名。请向实验室核对密钥指纹：<br>"
        "Each event's hash covers the one before it; each day's heads are signed with the laboratory's Ed25519 key. "
        f"Ask the laboratory whether this is its fingerprint:</p><ul>{prints}</ul>"
    )


def _signatures(record: form.Record, streams: dict[str, list[Event]]) -> str:
    rows = []
    for stream, events in streams.items():
        for event in events:
            if stream.startswith("consignment:") and event.type.value == "handed_over":
                said = event.payload
                rows.append(
                    [
                        _time(event.occurred_at.isoformat()),
                        f"<code>{escape(record.names.get(stream, stream))}</code>",
                        _site(record, event.site),
                        escape(MEANINGS.get(str(said.get("meaning")), str(said.get("meaning", "")))),
                        _who(said.get("giver_name"), said.get("giver")),
                        _who(said.get("taker_name"), said.get("taker")),
                        escape(str(said.get("method", ""))),
                        escape(str(said.get("count", ""))),
                    ]
                )
    head = [
        "时间 Time",
        "单号 Number",
        "地点 Place",
        "含义 Meaning",
        "交方 Giver",
        "接方 Taker",
        "方式 Way",
        "数量 Count",
    ]
    return "<h2>交接签名 Signatures</h2>" + _table(head, rows) if rows else ""


def _stream(record: form.Record, stream: str, events: Sequence[Event]) -> str:
    codes = of_stream(events)
    rows = [
        [
            str(event.seq),
            _time(event.occurred_at.isoformat()),
            f"{WORDS.get(event.type.value, '')} {escape(event.type.value)}",
            codes[event.seq] or "",
            _who(event.actor_name, event.actor),
            _site(record, event.site),
            escape(event.how),
            _time(event.recorded_at.isoformat()),
        ]
        for event in events
    ]
    head = ["#", "发生 Happened", "事件 Event", "IHE SET", "人员 Who", "地点 Place", "方式 How", "记录 Recorded"]
    return f"<h2><code>{escape(record.names.get(stream, stream))}</code></h2>" + _table(head, rows)


def _manifests(manifests: Sequence[form.ManifestLine]) -> str:
    rows = [
        [f"<code>{escape(one.number)}</code>", str(one.version), _time(one.locked_at), escape(one.locked_by),
         f"<code>{escape(one.seal)}</code>", str(len(one.lines))]
        for one in manifests
    ]  # fmt: skip
    head = ["单号 Number", "版本 Version", "锁定 Locked", "人员 Who", "封签 Seal", "数量 Count"]
    return "<h2>清单版本 Manifest versions</h2>" + _table(head, rows) if rows else ""


def _digests(digests: Sequence[form.DigestLine]) -> str:
    if not digests:
        return "<h2>每日签名 Daily digests</h2><p>当日尚未签名。 The day is not signed yet.</p>"
    rows = []
    for one in digests:
        said = Digest.from_text(one.text)
        rows.append([escape(one.day), str(said.number), str(said.events), f"<code>{escape(said.root)}</code>"])
    head = ["日期 Day", "序号 Number", "事件数 Events", "根哈希 Root"]
    return "<h2>每日签名 Daily digests</h2>" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _who(name: Any, username: Any) -> str:
    plain = str(username or "")
    return escape(f"{name}（{plain}）" if name and name != plain else plain or "—")


def _site(record: form.Record, code: str | None) -> str:
    if code is None:
        return "—"
    names = record.sites.get(code) or [code]
    return escape(" ".join(names))


def _time(iso: str) -> str:
    return escape(datetime.fromisoformat(iso).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"))
