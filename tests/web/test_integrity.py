"""The auditor's page of the record's integrity, the verification as a job, and bundles from the browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from flask_babel import refresh
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from logistics import tasks
from logistics.clock import FixedClock, wall_now
from logistics.integrity import edge, keys, prepared
from logistics.integrity.bundle_check import verify_bundle
from logistics.models import AuditEntry, CustodyDigest, Job, PreparedFile
from tests import factories as f
from tests.tamper import unlocked
from web.settings import Settings

pytestmark = pytest.mark.both_databases
Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.fixture
def record(session: Session, app_clock: FixedClock, app_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two tubes delivered yesterday, that day signed by the periodic task. Jobs wait: no worker runs here."""
    monkeypatch.setattr(tasks, "send", lambda job_id: None)
    for old in (app_settings.signing_key_file, *app_settings.signing_key_file.with_name("digests").glob("*")):
        old.unlink(missing_ok=True)  # of the test before
    f.world(session)
    number = f.delivered(session, ("T1", "T2"))
    app_clock.advance(timedelta(days=1))
    session.commit()
    tasks.sign_digests.run()
    tasks.sign_digests.run()
    return number


def work(session: Session, kind: str = edge.JOB_KIND) -> Job:
    """What a worker does with the waiting job."""
    session.commit()
    job = session.scalars(select(Job).where(Job.kind == kind, Job.state == "waiting")).one()
    tasks.run_job.run(job.id)
    session.expire_all()
    return job


def test_a_verification_runs_as_a_job_and_its_result_stays(
    record: str, session: Session, client: FlaskClient, login: Login
) -> None:
    """Asked for twice it runs once; whole first, then an event is edited and the page names it in both languages."""
    login(client, "auditor")
    assert "Never verified" in client.get("/integrity?lang=en").get_data(as_text=True)
    for _ in range(2):
        assert client.post("/integrity/verify").status_code == 302
    assert client.get("/integrity/progress").get_json()["running"] is True
    assert "Verification under way" in client.get("/integrity?lang=en").get_data(as_text=True)
    assert work(session).state == "done"
    assert client.get("/integrity/progress").get_json() == {"running": False}
    page = client.get("/integrity?lang=en").get_data(as_text=True)
    for words in ("Record whole", "2026-03-09", "in use", "0 events"):
        assert words in page, words
    with unlocked(session):
        session.execute(text("UPDATE custody_event SET actor = 'x' WHERE seq = 2 AND stream LIKE 'specimen%'"))
    client.post("/integrity/verify")
    assert work(session).result["whole"] is False
    page = client.get("/integrity?lang=en").get_data(as_text=True)
    assert "Record broken" in page
    assert page.count("Edited") == 2
    refresh()  # the test's own context remembers the language of the first page
    assert "被修改" in client.get("/integrity?lang=zh_CN").get_data(as_text=True)
    assert len(session.scalars(select(AuditEntry).where(AuditEntry.action == "record_verified")).all()) == 2


def test_the_periodic_task_signs_a_day_once(record: str, session: Session, app_settings: Settings) -> None:
    """Run twice: one digest, and its copy beside the key, which only its owner may read."""
    session.commit()
    one = session.scalars(select(CustodyDigest)).one()
    assert one.day == "2026-03-09"
    folder = app_settings.signing_key_file.with_name("digests")
    assert [path.name for path in folder.glob("*")] == ["2026-03-09.json"]
    assert app_settings.signing_key_file.stat().st_mode & 0o777 == 0o600


def made(session: Session, client: FlaskClient, path: str) -> str:
    """Ask for a bundle as the button does, let a worker make it, and give the address of its page."""
    answer = client.post(path)
    assert answer.status_code == 302
    assert client.post(path).headers["Location"] == answer.headers["Location"]  # pressed twice
    page = client.get(answer.headers["Location"] + "?lang=en").get_data(as_text=True)
    assert "Being put together and signed" in page
    assert client.get(answer.headers["Location"] + "/state").get_json() == {"waiting": True}
    assert client.get(answer.headers["Location"] + "/file").status_code == 404
    work(session, prepared.JOB_KIND)
    session.rollback()
    assert client.get(answer.headers["Location"] + "/state").get_json() == {"waiting": False}
    return answer.headers["Location"]


def test_bundles_from_the_browser_hold(
    record: str, session: Session, client: FlaskClient, login: Login, tmp_path: Path
) -> None:
    """The manager downloads consignment and tube; both verify against the public key; both requests are logged."""
    login(client, "manager")
    pem = client.get("/integrity/key.pem").get_data(as_text=True)
    session.rollback()
    tube = f.find(session, "T1").id
    session.rollback()
    for path in (f"/custody/consignments/{record}/bundle", f"/custody/specimens/{tube}/bundle"):
        page = made(session, client, path)
        assert "The bundle is ready" in client.get(page + "?lang=en").get_data(as_text=True)
        answer = client.get(page + "/file")
        assert answer.mimetype == "application/zip"
        (tmp_path / "bundle.zip").write_bytes(answer.data)
        report = verify_bundle(tmp_path / "bundle.zip", anchor=keys.from_pem(pem))
        assert report.whole, report.findings
        assert report.sealed
    session.rollback()
    logged = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "bundle_exported")).all()
    assert sorted(set(logged)) == sorted([f"consignment:{record}", f"specimen:{tube}"])
    login(client, "auditor")
    digests = client.get("/integrity/digests.jsonl").get_data(as_text=True).splitlines()
    assert len(digests) == 1


def test_a_bundle_is_for_whoever_asked_and_for_a_day(
    record: str, session: Session, client: FlaskClient, login: Login, app_clock: FixedClock
) -> None:
    """Another reader gets 404 for the manager's page and file; after a day the file is gone and can be made again."""
    page = made(session, login(client, "manager"), f"/custody/consignments/{record}/bundle")
    login(client, "auditor")
    assert [client.get(page + end).status_code for end in ("", "/state", "/file")] == [404, 404, 404]
    login(client, "manager")
    session.execute(update(PreparedFile).values(made_at=wall_now() - prepared.KEPT - timedelta(minutes=1)))
    session.commit()
    tasks.forget.run()
    assert client.get(page + "/file").status_code == 404
    words = client.get(page + "?lang=en").get_data(as_text=True)
    assert "Ask for it again" in words
    assert "Make it again" in words


def test_a_worker_without_the_key_says_so(
    record: str, session: Session, client: FlaskClient, login: Login, app_settings: Settings
) -> None:
    """No bundle is better than one that nobody can trust: the page says in both languages who can help."""
    app_settings.signing_key_file.rename(app_settings.signing_key_file.with_name("elsewhere"))
    page = made(session, login(client, "manager"), f"/custody/consignments/{record}/bundle")
    assert "The worker has no signing key" in client.get(page + "?lang=en").get_data(as_text=True)
    refresh()  # the test's own context remembers the language of the first page
    assert "后台进程没有签名密钥" in client.get(page + "?lang=zh_CN").get_data(as_text=True)
    assert client.get(page + "/file").status_code == 404
