"""Nonconformities and their photos through the browser's door: who sees what, what is kept of a picture, the file."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Attachment, CustodyEvent, Nonconformity
from logistics.services import attachments, rebuild
from tests import factories as f

Login = Callable[[FlaskClient, str], FlaskClient]
LATER = f.START + timedelta(hours=2)
GPS = 0x8825
MARCH = "from=2026-03-01&to=2026-03-20&lang=en"


@pytest.fixture
def desk(client: FlaskClient, session: Session, login: Login) -> FlaskClient:
    """The county's receiver, signed in."""
    f.world(session)
    return login(client, "receiver")


def picture(size: tuple[int, int] = (400, 300), *, kind: str = "JPEG", turned: bool = False) -> bytes:
    """A photo as a phone takes it: with the place, the device's name and a turned sensor in its EXIF."""
    image = Image.new("RGB", size, (180, 40, 40))
    exif = Image.Exif()
    exif[0x010F] = "SecretPhone"
    exif[0x0112] = 6 if turned else 1
    exif.get_ifd(GPS)[2] = (29.0, 44.0, 1.0)
    out = io.BytesIO()
    image.save(out, kind, exif=exif)
    return out.getvalue()


def send(client: FlaskClient, raw: bytes, status: int = 200) -> dict[str, Any]:
    answer = client.post("/api/v1/photos?lang=en", data={"photo": (io.BytesIO(raw), "tube.jpg")})
    assert answer.status_code == status, answer.get_json()
    return dict(answer.get_json())


def rejected(session: Session, sha256: str, accession: str = "2611220047") -> str:
    """A box of two tubes at the county, the first rejected with a photo; the consignment."""
    number = f.delivered(session)
    for tube in ("2611220047", "2611220048"):
        subject = {"specimen": tube, "consignment": number}
        f.done(session, "receiver", f.act("receive", subject, {"condition": "good"}, at=LATER))
    payload = {"reason": "HAEMOLYSED", "note": "=cmd|' /C calc'!A0", "photo": sha256}
    f.done(session, "receiver", f.act("reject", {"specimen": accession}, payload, at=LATER))
    return number


def test_a_photo_keeps_its_pixels_and_nothing_else(desk: FlaskClient, session: Session) -> None:
    """Upright, at most 1600 px, without place, device or thumbnail; the same picture again is the same row."""
    sent = picture((4000, 3000), turned=True)
    assert b"SecretPhone" in sent
    first, again = send(desk, sent), send(desk, sent)
    assert first == again
    assert (first["width_px"], first["height_px"]) == (1200, 1600)
    kept = session.scalars(select(Attachment)).one()
    assert hashlib.sha256(kept.data).hexdigest() == first["photo"]
    assert b"SecretPhone" not in kept.data
    assert b"Exif" not in kept.data
    with Image.open(io.BytesIO(kept.data)) as image:
        assert (image.format, dict(image.getexif())) == ("JPEG", {})
    machine = desk.post("/api/v1/photos", json={"photo": base64.b64encode(picture(kind="PNG")).decode()})
    assert machine.status_code == 200


def test_what_is_no_photo_is_refused(desk: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, a cut picture, a bomb by its head, more bytes than allowed, nothing: named, and nothing is kept."""
    assert send(desk, b"hello", 400)["code"] == "photo_unreadable"
    assert send(desk, picture()[:900], 400)["code"] == "photo_unreadable"
    assert send(desk, b"GIF89a" + bytes(40), 400)["code"] == "photo_unreadable"
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")  # 12 KB that unpack to 81 million pixels
    assert send(desk, bomb.getvalue(), 400)["code"] == "photo_too_large"
    assert desk.post("/api/v1/photos", data={}).get_json()["code"] == "photo_missing"
    assert desk.post("/api/v1/photos", json={"photo": "###"}).get_json()["code"] == "photo_unreadable"
    monkeypatch.setattr(attachments, "MOST_BYTES", 1000)
    assert send(desk, picture((900, 900)), 400)["code"] == "photo_too_large"
    assert session.scalars(select(Attachment)).all() == []


def test_the_record_proves_the_photo(desk: FlaskClient, session: Session) -> None:
    """The event holds the picture's hash; a photo that was never sent, or by another county, cannot be quoted."""
    sha256 = send(desk, picture())["photo"]
    rejected(session, sha256)
    event = session.scalars(select(CustodyEvent.body).where(CustodyEvent.type == "rejected")).one()
    assert f'"photo":"{sha256}"' in event
    assert session.scalars(select(Nonconformity.photo)).one() == sha256
    assert session.get_one(Attachment, sha256, populate_existing=True).used_at is not None
    for username, photo in (("receiver", "0" * 64), ("receiver", "../etc"), ("receiver2", sha256)):
        subject = {"specimen": "2611220048"}
        answer = f.do(session, username, f.act("reject", subject, {"reason": "CLOTTED", "photo": photo}, at=LATER))
        assert answer.code in {"photo_unknown", "specimen_unknown", "field_malformed"}
    assert rebuild.differences(session) == []


def test_a_photo_is_shown_to_those_concerned(
    desk: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """The township and the laboratory see it, never from a cache; another county and another township do not."""
    sha256 = send(desk, picture())["photo"]
    before = {name: login(new_client(), name) for name in ("nurse", "manager", "nurse2", "receiver2", "auditor")}
    assert before["nurse"].get(f"/api/v1/photos/{sha256}").status_code == 404  # nothing says yet that it is hers
    rejected(session, sha256)
    seen = {name: one.get(f"/api/v1/photos/{sha256}") for name, one in before.items()}
    assert {name: answer.status_code for name, answer in seen.items()} == {
        "nurse": 200, "manager": 200, "auditor": 200, "nurse2": 404, "receiver2": 404,
    }  # fmt: skip
    assert seen["nurse"].headers["Cache-Control"] == "no-store"
    assert seen["nurse"].mimetype == "image/jpeg"
    assert "sandbox" in seen["nurse"].headers["Content-Security-Policy"]
    assert before["nurse"].get("/api/v1/photos/..%2f..%2fetc").status_code == 404


def test_the_list_is_filtered_and_within_the_sites(
    desk: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """By state, reason, site and number; the township sees its own, another county nothing; rates by site."""
    number = rejected(session, send(desk, picture())["photo"])
    stray = {"specimen": "9900112233", "consignment": number}
    f.done(
        session, "receiver", f.act("receive_unexpected", stray, {"condition": "good", "reason": "UNEXPECTED"}, at=LATER)
    )

    def page(client: FlaskClient, query: str = "") -> str:
        answer = client.get(f"/nonconformities?{MARCH}{query}")
        assert answer.status_code == 200
        return answer.get_data(as_text=True).partition("<table")[2]

    whole = page(desk)
    assert "2611220047" in whole
    assert "9900112233" in whole
    assert "Haemolysed" in whole
    assert "50.0 %" in whole  # one of two received tubes of TOWN rejected
    assert "2611220047" not in page(desk, "&state=open")
    assert "9900112233" in page(desk, "&state=open")
    assert "9900112233" not in page(desk, "&reason=HAEMOLYSED")
    assert "2611220047" in page(desk, "&disposition=reject&site=TOWN&q=26112")
    assert "2611220047" not in page(desk, "&site=TOWN2")
    nurse = page(login(new_client(), "nurse"))
    assert 'data-recollect="' in nurse
    assert "data-settle" not in nurse
    assert "2611220047" not in page(login(new_client(), "receiver2"))
    assert desk.get("/nonconformities?from=yesterday").status_code == 400
    assert desk.get("/nonconformities?from=2001-01-01&to=2026-01-01").status_code == 400


def test_the_file_runs_no_formula_and_names_the_new_tube(desk: FlaskClient, session: Session) -> None:
    """CSV and xlsx hold the rows of the filter; a note that is a formula stays text; no patient."""
    rejected(session, send(desk, picture())["photo"])
    again = f.done(session, "nurse", f.act("recollect", {"specimen": "2611220047"}, at=LATER))["specimen"]
    text = desk.get(f"/nonconformities/export?{MARCH}").get_data().decode("utf-8-sig")
    assert "'=cmd|" in text
    assert again in text
    assert "张" not in text
    book = openpyxl.load_workbook(io.BytesIO(desk.get(f"/nonconformities/export?{MARCH}&format=xlsx").get_data()))
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert len(rows) == 2
    assert again in rows[1]
    assert desk.get(f"/nonconformities/export?{MARCH}&format=pdf").status_code == 400


def test_unused_photos_are_cleared_away_after_a_month(session: Session) -> None:
    """A picture that no act ever quoted goes; one that a record quotes stays for ever."""
    f.world(session)
    made = [attachments.clean(picture((size, 300))) for size in (300, 310, 320)]
    keep = {"username": "receiver", "site_code": f.COUNTY}
    old = [attachments.keep(session, one, now=f.START, **keep).sha256 for one in made[:2]]
    session.commit()
    rejected(session, old[0])
    attachments.keep(session, made[2], now=f.START + timedelta(days=31), **keep)
    session.commit()
    left = set(session.scalars(select(Attachment.sha256)))
    assert old[0] in left
    assert old[1] not in left
    assert len(left) == 2


def test_the_township_sees_at_once_what_came_back(
    desk: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """Rejected with reason, by whom, photo; one tap collects it again; a missing tube that is still here is found."""
    nurse = login(new_client(), "nurse")
    first = nurse.get("/collector/returned.json?lang=en")
    assert first.get_json() == {"tubes": []}
    tag = {"If-None-Match": first.headers["ETag"]}
    assert nurse.get("/collector/returned.json?lang=en", headers=tag).status_code == 304
    sha256 = send(desk, picture())["photo"]
    rejected(session, sha256)
    answer = nurse.get("/collector/returned.json?lang=en", headers=tag)
    [tube] = answer.get_json()["tubes"]
    assert (tube["reason"], tube["by"], tube["site"]) == ("Haemolysed", "Receiver", "Site COUNTY")
    assert (tube["photo"], tube["whole"]) == (f"/api/v1/photos/{sha256}", True)
    assert "张" not in answer.get_data(as_text=True)
    other = login(new_client(), "nurse2").get("/collector/returned.json").get_json()
    assert other == {"tubes": []}
    f.done(session, "nurse", f.act("recollect", {"specimen": tube["accession"]}, at=LATER))
    assert nurse.get("/collector/returned.json").get_json() == {"tubes": []}
    page = nurse.get("/collector/").get_data(as_text=True)
    assert "js/pages/returned.js" in page
