"""Pages of the collecting site: worklist, orders, labels, packing, import, outcomes, and whose tubes they show."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.clock import FixedClock
from logistics.models import Act, AuditEntry, PrintEntry, Specimen
from logistics.queries import worklists
from logistics.services import network
from tests import factories as f

Login = Callable[[FlaskClient, str], FlaskClient]


@pytest.fixture
def nurse(session: Session, client: FlaskClient, login: Login) -> FlaskClient:
    """The collector of TOWN in the small world, with English pages."""
    f.world(session)
    login(client, "nurse").get("/account?lang=en")
    return client


def order(**values: str) -> dict[str, str]:
    """What the form sends for one patient."""
    return {"id": str(uuid.uuid4()), "patient_ref": "张三丰", "tests": "CBC", "priority": "routine"} | values


def tubes(session: Session) -> list[Specimen]:
    session.rollback()
    return list(session.scalars(select(Specimen).order_by(Specimen.id).execution_options(populate_existing=True)))


def test_an_order_registers_one_tube_masks_the_name_and_goes_on_with_an_empty_form(
    nurse: FlaskClient, session: Session
) -> None:
    """Post, redirect, get; the full name is kept nowhere; department and tests stay when asked for."""
    answer = nurse.post("/collector/orders/new", data=order(department="内科", keep_tests="1"))
    assert answer.status_code == 302
    assert "CBC" in answer.location
    [tube] = tubes(session)
    assert (tube.patient_ref, tube.state, tube.collecting_site_code) == ("张**", "registered", f.TOWN)
    assert not session.scalars(select(Act).where(Act.body.contains("张三丰"))).all()
    page = nurse.get(answer.location).get_data(as_text=True)
    assert f"1 tube registered: {tube.accession}" in page
    assert 'value="内科"' in page
    assert 'name="tests" value="CBC"' in page


def test_tests_for_several_containers_make_one_tube_each_under_one_order(nurse: FlaskClient, session: Session) -> None:
    """EDTA and citrate are two tubes; a test of another laboratory on the same tube goes where all are done."""
    nurse.post("/collector/orders/new", data=order(tests="CBC,COAG4,CBC-DIFF"))
    made = tubes(session)
    assert sorted(sorted(t.test_code for t in tube.tests) for tube in made) == [["CBC", "CBC-DIFF"], ["COAG4"]]
    assert len({tube.order_id for tube in made}) == 1


def test_a_second_click_registers_nothing_twice_and_another_content_is_refused(
    nurse: FlaskClient, session: Session, app_clock: FixedClock
) -> None:
    """The form's id makes the acts; the same form again gives the same tubes, a changed one is not swallowed."""
    first = order()
    nurse.post("/collector/orders/new", data=first)
    app_clock.advance(timedelta(seconds=3))
    assert nurse.post("/collector/orders/new", data=first).status_code == 302
    assert len(tubes(session)) == 1
    changed = nurse.post("/collector/orders/new", data=first | {"tests": "HBA1C"})
    assert changed.status_code == 409
    page = changed.get_data(as_text=True)
    assert "sent before" in page
    assert first["id"] not in page
    assert len(tubes(session)) == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"tests": ""}, "Choose at least one test."),
        ({"tests": "NOPE"}, "not in the catalogue"),
        ({"tests": "CBC,COAG4", "accession": "2611220047"}, "need 2 tubes"),
        ({"priority": "soon"}, "is not a priority"),
    ],
)
def test_a_refused_order_keeps_what_was_entered(
    nurse: FlaskClient, session: Session, values: dict[str, str], sentence: str
) -> None:
    """Nothing is registered, the sentence says why, and every field still holds what was typed."""
    answer = nurse.post("/collector/orders/new", data=order(age="57", department="外科", **values))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert sentence in page
    assert 'value="57"' in page
    assert 'value="外科"' in page
    assert not tubes(session)


def test_a_barcode_of_the_laboratory_system_is_kept_as_it_is(nurse: FlaskClient, session: Session) -> None:
    """Full-width digits become plain ones; the same number again at this site is refused."""
    nurse.post("/collector/orders/new", data=order(accession="２６１１２２００４７"))
    assert tubes(session)[0].accession == "2611220047"
    again = nurse.post("/collector/orders/new", data=order(accession="2611220047"))
    assert again.status_code == 400
    assert "already in use" in again.get_data(as_text=True)


def test_the_worklist_shows_the_own_site_only(
    nurse: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """Two sites use the same number; each sees its own tube, also by search."""
    f.collected(session, "2611220047")
    other = login(new_client(), "nurse2")
    assert "2611220047" in nurse.get("/collector/").get_data(as_text=True)
    assert "2611220047" not in other.get("/collector/").get_data(as_text=True)
    assert "data-id" not in other.get("/collector/?q=2611220047").get_data(as_text=True)


def test_a_tube_that_never_left_stays_on_the_worklist(
    nurse: FlaskClient, session: Session, app_clock: FixedClock
) -> None:
    """Yesterday's collected tube shows, yesterday's failed one does not, but is found by search."""
    f.collected(session, "2611220047")
    f.done(session, "nurse", f.act("register", {"specimen": "2611220048"}, {"tests": ["CBC"]}))
    f.done(session, "nurse", f.act("collection_failed", {"specimen": "2611220048"}, {"reason": "PATIENT_ABSENT"}))
    app_clock.advance(timedelta(days=1))
    page = nurse.get("/collector/").get_data(as_text=True)
    assert "2611220047" in page
    assert "2611220048" not in page
    assert "2611220048" in nurse.get("/collector/?q=261122004").get_data(as_text=True)


def test_reading_patient_references_is_logged(nurse: FlaskClient, session: Session) -> None:
    """One entry for a page that shows two references, with how many."""
    f.collected(session, "2611220047")
    f.collected(session, "2611220048")
    nurse.get("/collector/")
    session.rollback()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient_refs_read")).one()
    assert (entry.username, entry.detail) == ("nurse", {"shown": 2, "page": "worklist"})


def test_printing_labels_counts_and_logs_and_serves_only_own_tubes(
    nurse: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """All new ones at once, then one again; another site's nurse prints nothing of it."""
    for number in ("2611220047", "2611220048"):
        f.done(session, "nurse", f.act("register", {"specimen": number}, {"tests": ["CBC"], "patient_ref": "张*"}))
    printed = nurse.post("/print/specimens", data={"all": "unprinted"})
    assert printed.data.startswith(b"%PDF")
    assert [tube.labels_printed for tube in tubes(session)] == [1, 1]
    again = tubes(session)[0].id
    refused = nurse.post("/print/specimens", data={"id": str(again)})
    assert refused.status_code == 400, "a label that was printed before is printed again for a reason"
    assert nurse.post("/print/specimens", data={"id": str(again), "reason": "damaged"}).status_code == 200
    assert [tube.labels_printed for tube in tubes(session)] == [2, 1]
    assert session.scalar(select(func.count(PrintEntry.id))) == 3
    assert nurse.post("/print/specimens", data={"all": "unprinted"}).status_code == 400
    other = login(new_client(), "nurse2")
    assert other.post("/print/specimens", data={"id": str(again)}).status_code == 400


def test_a_sealed_box_prints_manifest_and_label_for_its_sites_only(
    nurse: FlaskClient, session: Session, new_client: Callable[[], FlaskClient], login: Login
) -> None:
    """Origin and destination may print; the other county is told that there is no such consignment."""
    number = f.sealed(session)
    for path in (f"/print/consignments/{number}/manifest", f"/print/consignments/{number}/label"):
        assert nurse.post(path).data.startswith(b"%PDF")
        assert login(new_client(), "receiver").post(path, data={"reason": "other"}).status_code == 200
        assert login(new_client(), "receiver2").post(path).status_code == 404
    kinds = set(session.scalars(select(PrintEntry.kind)))
    assert kinds == {"manifest", "consignment_label"}


def test_an_open_box_has_no_manifest_yet(nurse: FlaskClient, session: Session) -> None:
    """Printing before the seal is refused in words."""
    f.collected(session)
    number = f.done(session, "nurse", f.act("pack", {"specimen": "2611220047", "box": "BX-C"}))["consignment"]
    answer = nurse.post(f"/print/consignments/{number}/manifest")
    assert answer.status_code == 409
    assert "Seal the box first" in answer.get_data(as_text=True)


def test_the_packing_bench_knows_the_box_and_what_is_left(nurse: FlaskClient, session: Session) -> None:
    """The box with its tubes and next laboratory, and the tubes that would stay behind."""
    f.collected(session, "2611220047")
    f.collected(session, "2611220048")
    f.done(session, "nurse", f.act("pack", {"specimen": "2611220047", "box": "BX-C"}))
    state = nurse.get("/collector/pack.json?box=BX-C").get_json()
    assert [tube["accession"] for tube in state["tubes"]] == ["2611220047"]
    assert [tube["accession"] for tube in state["waiting"]] == ["2611220048"]
    assert state["consignment"]["destination"] == f.COUNTY
    assert "张" not in nurse.get("/collector/pack.json?box=BX-C").get_data(as_text=True)


@pytest.mark.parametrize(("box", "status", "code"), [("BX-NONE", 404, "box_unknown"), ("BX-T", 409, "box_elsewhere")])
def test_a_box_that_cannot_be_packed_here_is_refused_as_json(
    nurse: FlaskClient, box: str, status: int, code: str
) -> None:
    """Unknown boxes and those of another site answer with code and sentence."""
    answer = nurse.get(f"/collector/pack.json?box={box}")
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_outcomes_show_the_rejected_tube_first_with_its_reason(nurse: FlaskClient, session: Session) -> None:
    """The reason in words, and the button to collect again until that has been done."""
    number = f.delivered(session)
    later = f.START + timedelta(hours=1)
    for accession in ("2611220047", "2611220048"):
        receive = f.act("receive", {"consignment": number, "specimen": accession}, {"condition": "good"}, at=later)
        f.done(session, "receiver", receive)
    f.done(session, "receiver", f.act("accept", {"specimen": "2611220047"}, at=later))
    f.done(session, "receiver", f.act("reject", {"specimen": "2611220048"}, {"reason": "HAEMOLYSED"}, at=later))
    page = nurse.get("/collector/outcomes").get_data(as_text=True)
    assert page.index("2611220048") < page.index("2611220047")
    assert "Haemolysed" in page
    assert "data-recollect" in page
    again = f.done(session, "nurse", f.act("recollect", {"specimen": "2611220048"}, at=later))["specimen"]
    page = nurse.get("/collector/outcomes").get_data(as_text=True)
    assert again in page
    assert "data-recollect" not in page


def test_an_import_is_previewed_refused_with_reasons_and_applied_as_a_whole(
    nurse: FlaskClient, session: Session
) -> None:
    """A bad row names line, column and reason and blocks the good one; the corrected file is imported once."""
    head = "条码号,患者姓名,检验项目,申请时间\n"
    bad = head + "2611220047,张三丰,血常规,2026-03-09 08:30\n2611220048,李四,看不懂,2026-03-09 08:31\n"

    def send(text: str, action: str) -> tuple[int, str]:
        upload = (BytesIO(text.encode("gb18030")), "orders.csv")
        answer = nurse.post("/collector/import/", data={"file": upload, "action": action})
        return answer.status_code, answer.get_data(as_text=True)

    _status, page = send(bad, "preview")
    assert re.search(r'<td class="num"[^>]*>3</td>', page)
    assert "检验项目" in page
    assert "看不懂" in page
    assert "张三丰" not in page
    assert send(bad, "apply")[0] == 400
    assert not tubes(session)
    good = bad.replace("看不懂", "糖化血红蛋白")
    assert "Import 2 tubes" in send(good, "preview")[1]
    assert "2 tubes imported." in send(good, "apply")[1]
    assert [tube.patient_ref for tube in tubes(session)] == ["张**", "李*"]
    assert "nothing to import" in send(good, "preview")[1]


def test_a_file_that_is_no_table_is_refused_in_words(nurse: FlaskClient) -> None:
    """A PDF by mistake: the sentence, not a server error."""
    answer = nurse.post("/collector/import/", data={"file": (BytesIO(b"%PDF-1.4 x"), "a.csv"), "action": "preview"})
    assert answer.status_code == 400
    assert "cannot be read" in answer.get_data(as_text=True)


@pytest.mark.both_databases
def test_counts_and_rows_of_the_worklist_agree(session: Session) -> None:
    """For every group, the figure on the tab is the number of rows behind it, on both databases."""
    f.world(session)
    f.sealed(session)
    f.collected(session, "2611220049")
    f.done(session, "nurse", f.act("register", {"specimen": "2611220050"}, {"tests": ["CBC"]}))
    nurse_user = f.find(session, "2611220049").collector
    assert nurse_user == "nurse"
    from logistics.models import User

    user = session.scalars(select(User).where(User.username == "nurse")).one()
    scope = network.scope_of_user(session, user)
    counts = worklists.counts(session, scope, now=f.START)
    for group, number in counts.groups.items():
        assert len(worklists.worklist(session, scope, now=f.START, group=group)) == number, group
    assert counts.total == 4
    assert counts.unprinted == 1
