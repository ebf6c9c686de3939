/**
 * The receiving desk: box → handover → tubes → decisions → closed, by scanner and single keys alone.
 * Two people may work on one box: the page asks every two seconds what the other one has done.
 */
import { submit } from "../acts.js";
import { api } from "../api.js";
import { ask, askUntilTaken } from "../ask.js";
import { confirmDialog } from "../dialog.js";
import { fill, h, icon } from "../dom.js";
import { ready, _ } from "../i18n.js";
import { readOffer } from "../handover-offer.js";
import { normalise } from "../numbers.js";
import { createScanPanel } from "../scan-panel.js";
import { play } from "../sound.js";
import { toast, toastError } from "../toast.js";
import { startKeys } from "./keys.js";
import { askAccept, askBox, askCondition, askMissing, askReason, photoOf } from "./receiver-ask.js";
import { act, face, went } from "./office.js";
import { RECEIVED, conditionWord, counts, doubt, inside, receivedFace, showCurrent, showHandover, showHead, showLists, showMode, undecided } from "./receiver-view.js";

const POLL_MS = 2000;
const root = document.getElementById("desk");
const part = (name) => root.querySelector(`[data-${name}]`);
const reasons = JSON.parse(root.dataset.reasons);
const names = JSON.parse(root.dataset.names);
const allReasons = JSON.parse(root.dataset.allReasons);
const site = root.dataset.site;
const seen = new Map(); // tubes read before the condition was stated: id → how
let state = JSON.parse(root.dataset.state);
let mode = null;
let currentId = null;
let etag = null;
let panel = null;
let working = 0;

const box = () => state.consignment || null;
const tubes = () => state.tubes || [];
const current = () => tubes().find((tube) => tube.id === currentId) || null;
const receiving = () => Boolean(box() && box().state === "delivered" && box().mine);

function render() {
  const one = box();
  const arriving = Boolean(one && one.mine && ["in_transit", "arrived"].includes(one.state));
  showHead(root, state);
  for (const element of root.querySelectorAll("[data-start]")) element.hidden = Boolean(one);
  root.querySelector('[data-do="other"]').hidden = !one;
  part("mode-bar").hidden = part("keys").hidden = !receiving();
  part("three").hidden = part("list-open").hidden = part("list-done").hidden = !one;
  part("handover").hidden = !arriving;
  if (arriving) showHandover(root, one, inside(tubes()).length);
  if (one) showLists(root, state, { currentId, pendingIds: seen, names, site, onPick: pick });
  showCurrent(root, receiving() || (one && one.state === "closed") ? current() : null, names);
  showMode(root, mode, seen.size);
  const figures = counts(tubes());
  panel.count(figures.received + figures.missing, inside(tubes()).length);
  root.querySelector("[data-scan-count]").hidden = !one;
}

function pick(tube) {
  currentId = tube.id;
  render();
}

// --- state of the server --------------------------------------------------------------------------------

function take(fresh) {
  if (!box() || box().number !== fresh.consignment.number) {
    mode = null;
    currentId = null;
    seen.clear();
  }
  state = fresh;
  for (const tube of tubes()) if (RECEIVED.has(tube.outcome)) seen.delete(tube.id);
  const address = new URL(location.href);
  address.searchParams.set("consignment", state.consignment.number);
  history.replaceState(null, "", address);
  render();
}

async function reload() {
  etag = null;
  take(await api(`/receiver/consignments/${encodeURIComponent(box().number)}.json`));
}

async function poll() {
  const one = box();
  if (!one || working || document.visibilityState !== "visible" || !["in_transit", "arrived", "delivered"].includes(one.state)) return;
  const answer = await fetch(`/receiver/consignments/${encodeURIComponent(one.number)}.json`, { credentials: "same-origin", cache: "no-store", headers: etag ? { "If-None-Match": etag } : {} });
  if (answer.status !== 200 || answer.redirected || working || box() !== one) return;
  etag = answer.headers.get("ETag");
  take(await answer.json());
}

/** Do something that the poll must not overtake, then show what the server says. */
async function work(job) {
  working += 1;
  try {
    return await job();
  } finally {
    working -= 1;
    if (box() && !working) await reload().catch(() => undefined);
  }
}

async function openBox(code) {
  take(await api(`/receiver/find.json?code=${encodeURIComponent(code)}`));
  const one = box();
  if (!one.mine) return { tone: "danger", icon: "warning", sound: "wrong", sentence: _("Stop: this box goes to %(place)s.", { place: one.destination_name }) };
  if (one.state === "closed") return { tone: "info", icon: "lock", sound: "already", sentence: _("The receipt of this box is closed.") };
  if (one.state === "delivered") return { tone: "ok", icon: "box-open", sound: "ok", sentence: mode ? _("Scan the tubes.") : _("State the condition, then scan the tubes: G good, D damaged, L leaked.") };
  if (one.state === "sealed") return { tone: "warn", icon: "seal", sound: "wrong", sentence: _("According to the record nobody has fetched this box yet.") };
  document.getElementById("pin").focus();
  return { tone: "info", icon: "handover", sound: "ok", sentence: _("%(n)s tubes. The courier signs with the PIN or shows a code on the phone, or scan the seal.", { n: inside(tubes()).length }) };
}

// --- handover -------------------------------------------------------------------------------------------

function handoverProblem(sentence) {
  part("handover-error").hidden = !sentence;
  fill(part("handover-error"), sentence ? [icon("cross-circle"), h("span", {}, sentence)] : []);
}

/** proof: {other, pin} or {seal_tail}. */
async function handOver(proof, how = "typed") {
  handoverProblem("");
  const one = box();
  return work(async () => {
    if (one.state === "in_transit") {
      const arrived = await submit("arrive", { subject: { consignment: one.number }, site });
      if (!went(arrived)) return face(arrived, "");
    }
    const answer = await submit("hand_over", { subject: { consignment: one.number }, site, how, payload: { ...proof, count: inside(tubes()).length } });
    const shown = face(answer, _("Taken over. State the condition, then scan the tubes: G good, D damaged, L leaked."));
    if (went(answer)) document.activeElement.blur();
    else handoverProblem(answer.sentence);
    return shown;
  });
}

/** The code on the courier's phone: he signs there, this desk takes over all boxes of it in one go. */
async function takeOffer(code, how) {
  const offer = readOffer(code);
  if (!offer) return { tone: "danger", icon: "cross-circle", sound: "wrong", code: _("Handover code"), sentence: _("This code cannot be read. Ask the giver to show it again.") };
  const total = offer.loads.reduce((sum, load) => sum + load.count, 0);
  const sure = await confirmDialog({
    title: _("Take over %(boxes)s boxes with %(tubes)s tubes?", { boxes: offer.loads.length, tubes: total }),
    text: [h("p", {}, _("The courier signs on the own phone. Until then the record shows that signature as outstanding.")), h("ul", {}, offer.loads.map((load) => h("li", {}, h("code", {}, load.number), ` · ${load.count}`)))],
    action: _("Take over"),
  });
  if (!sure) return { tone: "neutral", icon: "handover", code: _("Handover code"), sentence: _("Nothing recorded.") };
  handoverProblem("");
  const numbers = offer.loads.map((load) => load.number);
  const payload = { method: "app", code: offer.text, parts: Object.fromEntries(offer.loads.map((load) => [load.number, { count: load.count }])) };
  const answer = await submit("hand_over", { subject: { consignments: numbers }, site, how, payload });
  const shown = { code: _("Handover code"), ...face(answer, _("Taken over: %(n)s boxes. Scan the first one.", { n: numbers.length })) };
  if (went(answer) && numbers.length === 1) await openBox(numbers[0]);
  else if (box()) await reload();
  return shown;
}

async function submitHandover(event) {
  event.preventDefault();
  const form = event.target;
  const { pin, tail } = Object.fromEntries(new FormData(form));
  if (!pin && !tail) return handoverProblem(_("The PIN or the end of the seal number is needed."));
  const shown = await handOver(pin ? { other: box().holder, pin } : { seal_tail: tail.trim().toUpperCase() });
  panel.show({ code: box().box, ...shown });
  form.reset();
  if (shown.tone === "danger") form.elements[pin ? "pin" : "tail"].focus();
  return undefined;
}

// --- tubes ----------------------------------------------------------------------------------------------

async function receiveTube(tube, how, condition = mode) {
  const answer = await act("receive", { subject: { consignment: box().number, specimen: tube.accession, specimen_id: tube.id }, site, how, payload: { condition } });
  if (went(answer)) {
    Object.assign(tube, { outcome: how, condition, state: "received", checked_by: root.dataset.meName, checked_at: new Date().toISOString() }, answer.result && answer.result.state ? { on_hold: answer.result.on_hold, stability: answer.result.stability, use_by: answer.result.use_by } : {});
    seen.delete(tube.id);
  }
  return answer;
}

async function scanTube(code, how) {
  const one = box();
  if (!one) return { tone: "warn", icon: "box", sound: "wrong", sentence: _("Scan the box first, then the tubes.") };
  const tube = tubes().find((each) => normalise(each.accession) === normalise(code));
  if (one.state === "closed" && tube && tube.outcome === "missing") return foundLater(tube, how);
  if (!receiving()) return { tone: "warn", icon: "handover", sound: "wrong", sentence: one.state === "closed" ? _("The receipt of this box is closed.") : _("First the handover: both sides sign.") };
  if (!tube) {
    unexpected(code, how).catch(toastError);
    return { tone: "danger", icon: "plus", sound: "wrong", sentence: _("Not on the manifest of this box.") };
  }
  currentId = tube.id;
  if (RECEIVED.has(tube.outcome)) {
    render();
    return { tone: "warn", icon: "check", sound: "already", sentence: _("Received already. It is not counted twice; the keys are about it now.") };
  }
  if (!mode) {
    seen.set(tube.id, how);
    render();
    return { tone: "warn", icon: "question", sound: "already", sentence: _("State the condition: G good, D damaged, L leaked. %(n)s waiting.", { n: seen.size }) };
  }
  const answer = await work(() => receiveTube(tube, how));
  return receivedFace(tube, answer, tubes());
}

async function foundLater(tube, how) {
  const condition = await askCondition(_("The missing tube %(number)s has turned up", { number: tube.accession }), _("It is received late, and the search for it ends."));
  if (!condition) return { tone: "neutral", icon: "missing", sentence: _("Nothing recorded.") };
  const answer = await work(() => act("found", { subject: { specimen: tube.accession, specimen_id: tube.id }, site, how, payload: { condition } }));
  return face(answer, _("Found and received. The alert ends."));
}

/** A tube without its box: perhaps somebody misses it. */
async function looseTube(code, how) {
  const { tubes: missed } = await api(`/receiver/missing.json?code=${encodeURIComponent(code)}`);
  if (missed.length !== 1) return { tone: "warn", icon: "box", sound: "wrong", sentence: _("Scan the box first, then the tubes.") };
  return foundLater(missed[0], how);
}

/** The receiver states the condition for the tubes seen so far and those to come. */
async function setMode(condition) {
  if (!receiving()) return;
  mode = condition;
  const waiting = tubes().filter((tube) => seen.has(tube.id));
  play("ok");
  render();
  if (!waiting.length) {
    panel.show({ tone: condition === "good" ? "ok" : "warn", icon: "scan", code: conditionWord(condition), sentence: _("Scan the tubes.") });
    return;
  }
  const answer = await work(() => receiveAll(waiting, condition));
  render();
  if (went(answer)) panel.show({ tone: "ok", icon: "check-circle", sound: "ok", code: conditionWord(condition), sentence: _("%(n)s tubes recorded as %(condition)s.", { n: waiting.length, condition: conditionWord(condition) }) });
  else panel.show({ code: conditionWord(condition), ...face(answer, "") });
}

/** One act for each way in which they were read: what was typed stands apart from what was scanned. */
async function receiveAll(waiting, condition) {
  let answer;
  for (const how of new Set(waiting.map((tube) => seen.get(tube.id)))) {
    const some = waiting.filter((tube) => seen.get(tube.id) === how);
    answer = await act("receive_all", { subject: { consignment: box().number }, site, how, wait: 20000, payload: { condition, specimens: some.map((tube) => tube.id) } });
    if (!went(answer)) return answer;
    for (const tube of some) seen.delete(tube.id);
  }
  return answer;
}

async function tick() {
  const tube = current();
  if (!tube || tube.outcome !== "expected") return hint(_("Choose a tube that is not checked yet: with the arrow keys or by touch."));
  if (!mode) return hint(_("State the condition first: G good, D damaged, L leaked."));
  const sure = await confirmDialog({ title: _("Tick %(number)s by hand?", { number: tube.accession }), text: _("For a tube whose label no scanner reads. It stays on record that it was ticked, as: %(condition)s.", { condition: conditionWord(mode) }), action: _("It is here") });
  if (!sure) return undefined;
  const answer = await work(() => receiveTube(tube, "ticked"));
  panel.show({ code: tube.accession, ...receivedFace(tube, answer, tubes()) });
  return undefined;
}

async function unexpected(code, how) {
  const dialog = document.getElementById("unexpected-dialog");
  const form = document.getElementById("unexpected-form");
  dialog.querySelector("[data-unexpected-code]").textContent = code;
  let photo = null;
  const question = (refused) => {
    const asked = ask(dialog, form, refused);
    if (refused) return asked;
    photo = photoOf(form);
    if (mode) form.querySelector(`[name="condition"][value="${mode}"]`).checked = true;
    form.querySelector(mode ? '[value="yes"]' : '[name="condition"]').focus();
    return asked;
  };
  const answer = await askUntilTaken(form, question, ({ condition, reason, note }) => work(async () => act("receive_unexpected", { subject: { consignment: box().number, specimen: code }, site, how, payload: { condition, reason, note, ...(await pictured(photo)) } })));
  if (!answer) return;
  panel.show({ code, ...face(answer, answer.result && answer.result.known === false ? _("On record: nobody in the network knows this number.") : answer.result && answer.result.missed ? _("On record. It was missed in consignment %(number)s; the search ends.", { number: answer.result.missed }) : _("On record as unexpected.")) });
}

/** The photo of a form as an act quotes it: sent first. */
async function pictured(photo) {
  const sha256 = photo ? await photo.send() : null;
  return sha256 ? { photo: sha256 } : {};
}

// --- decisions ------------------------------------------------------------------------------------------

function hint(sentence) {
  play("already");
  panel.show({ tone: "warn", icon: "info", code: "", sentence });
}

const DECIDED_WELL = new Set(["accepted", "accepted_concession"]); // haemolysis may show after the centrifuge

function decidable(kind) {
  const tube = current();
  if (!tube) hint(_("Scan or choose the tube first."));
  else if (!RECEIVED.has(tube.outcome)) hint(_("%(number)s has not been received yet. Scan it first.", { number: tube.accession }));
  else if (tube.state !== "received" && !(kind === "reject" && DECIDED_WELL.has(tube.state))) hint(_("%(number)s has been decided already.", { number: tube.accession }));
  else return tube;
  return null;
}

async function decide(kind, given = null) {
  const tube = decidable(kind);
  if (!tube) return;
  if (kind === "concession" && tube.on_hold) return void hint(_("On hold: it may not be accepted before a manager has decided."));
  let [chosen, only] = [given, null];
  const send = (said) => {
    chosen = said;
    only = said.tests && said.tests.length ? said.tests : null;
    const type = kind !== "reject" ? "accept" : only ? "reject_tests" : "reject";
    const more = only ? { tests: only } : kind === "reject" && tube.condition ? { condition: tube.condition } : {};
    return work(async () => act(type, { subject: { specimen: tube.accession, specimen_id: tube.id }, site, payload: { reason: said.reason, note: said.note || "", ...more, ...(await pictured(said.photo)) } }));
  };
  const question = (refused) => askReason(kind, tube, reasons, refused);
  const answer = given && given.reason ? await send(given) : await askUntilTaken(document.getElementById("reason-form"), question, send);
  if (!answer) return;
  const done = only && answer.result && answer.result.left && answer.result.left.length ? _("Only %(tests)s rejected: %(reason)s. The tube stays for the rest.", { tests: only.join(_(", ")), reason: names[chosen.reason] }) : kind === "reject" ? _("Rejected: %(reason)s. The sender sees it at once.", { reason: names[chosen.reason] }) : _("Accepted with concession: %(reason)s. It shows on the report.", { reason: names[chosen.reason] });
  panel.show({ code: tube.accession, ...face(answer, done), ...(went(answer) ? { tone: kind === "reject" ? "danger" : "warn", sound: "ok" } : {}) });
}

async function acceptAll() {
  const waiting = tubes().filter(undecided);
  const good = waiting.filter((tube) => !doubt(tube, site));
  if (!good.length) return void hint(waiting.length ? _("None can be accepted without looking: decide one by one.") : _("Nothing waits for a decision."));
  const rest = waiting.filter((tube) => doubt(tube, site));
  const sure = await askAccept(good, rest, site);
  if (!sure) return;
  const answer = await work(() => act("decide_all", { subject: { consignment: box().number }, site, wait: 20000, payload: { decision: "accept", specimens: good.map((tube) => tube.id) } }));
  const { count = good.length, left = [] } = answer.result || {};
  if (!went(answer)) panel.show({ tone: "danger", icon: "warning", sound: "wrong", code: _("%(n)s not accepted", { n: good.length }), sentence: answer.sentence });
  else panel.show({ tone: left.length ? "warn" : "ok", icon: "check-circle", sound: left.length ? "already" : "ok", code: _("%(n)s accepted", { n: count }), sentence: rest.length + left.length ? _("%(n)s stay open.", { n: rest.length + left.length }) : "" });
}

const NOBODY = "nobody"; // no tube that could be decided

/** Something about the whole box: noted on it, or one decision for all its received tubes. */
async function wholeBox() {
  const fitting = (decision) => tubes().filter((tube) => undecided(tube) && (decision === "hold" ? !tube.on_hold : decision === "concession" ? !tube.on_hold && tube.destination === site : true));
  let [chosen, about] = [null, []];
  const send = (said) => {
    chosen = said;
    about = said.decision === "box" ? [] : fitting(said.decision);
    if (said.decision !== "box" && !about.length) return { status: NOBODY };
    const more = said.decision === "box" ? {} : { decision: said.decision, specimens: about.map((tube) => tube.id) };
    return work(async () => act(said.decision === "box" ? "deviation" : "decide_all", { subject: { consignment: box().number }, site, wait: 20000, payload: { reason: said.reason, note: said.note || "", ...more, ...(await pictured(said.photo)) } }));
  };
  const answer = await askUntilTaken(document.getElementById("box-form"), (refused) => askBox(allReasons, box().box, fitting, refused), send);
  if (!answer) return;
  if (answer.status === NOBODY) return void hint(_("No received tube waits for a decision. Scan the tubes first."));
  if (chosen.decision === "box") {
    panel.show({ code: box().box, ...face(answer, _("Noted on the box: %(reason)s.", { reason: names[chosen.reason] })) });
    return;
  }
  const { count = about.length } = answer.result || {};
  const words = { hold: _("%(n)s tubes on hold: %(reason)s.", { n: count, reason: names[chosen.reason] }), concession: _("%(n)s accepted with concession: %(reason)s.", { n: count, reason: names[chosen.reason] }), reject: _("%(n)s rejected: %(reason)s. The sender sees it at once.", { n: count, reason: names[chosen.reason] }) };
  panel.show({ code: box().box, ...face(answer, words[chosen.decision]), ...(went(answer) ? { tone: chosen.decision === "reject" ? "danger" : "warn", sound: "ok" } : {}) });
}

async function declareMissing() {
  const open = tubes().filter((tube) => tube.outcome === "expected" && !seen.has(tube.id));
  if (!open.length) return void hint(_("No tube is unchecked."));
  const named = await askMissing(open, root.dataset.meName, box().box);
  if (!named) return;
  const answers = await work(() => Promise.all(named.map((tube) => act("declare_missing", { subject: { consignment: box().number, specimen: tube.accession, specimen_id: tube.id }, site }))));
  const bad = answers.find((answer) => !went(answer));
  panel.show({ code: _("%(n)s missing", { n: named.length }), ...(bad ? face(bad, "") : { tone: "danger", icon: "missing", sound: "ok", sentence: _("On record with your name. The managers of both sites are told.") }) });
}

async function finish() {
  if (seen.size) return void hint(_("State the condition first: G good, D damaged, L leaked."));
  const open = counts(tubes()).open;
  if (open) return void hint(_("%(n)s tubes are not checked yet. Scan them, or declare them missing with M.", { n: open }));
  const left = tubes().filter((tube) => undecided(tube) && tube.destination === site);
  if (left.length && !(await confirmDialog({ title: _("Close the receipt?"), text: _("%(n)s received tubes are not decided yet. They stay on the list “Received, not decided”.", { n: left.length }), action: _("Close the receipt") }))) return;
  const answer = await work(() => submit("close_receipt", { subject: { consignment: box().number }, site }));
  panel.show({ code: box().box, ...face(answer, _("Receipt closed. Every tube is accounted for.")) });
}

// --- keys, commands, start ------------------------------------------------------------------------------

const actions = {
  good: () => setMode("good"), damaged: () => setMode("damaged"), leaked: () => setMode("leaked"),
  reject: () => decide("reject"), concession: () => decide("concession"), tick, accept: acceptAll, missing: declareMissing, wholebox: wholeBox, finish,
  unexpected: () => {
    const tube = current();
    hint(tube ? _("Scan the tube that is not on the list.") : _("Scan the tube: when it is not on the list, it asks for the reason."));
  },
  other: () => { location.href = location.pathname; },
};

const COMMANDS = { CMDGOOD: "good", CMDDAMAGED: "damaged", CMDLEAKED: "leaked", CMDACCEPT: "accept", CMDMISSING: "missing", CMDBOX: "wholebox", CMDFINISH: "finish" };

async function command(code) {
  const reason = reasons.find((one) => one.command === code);
  const open = document.getElementById("reason-dialog");
  if (reason && open.open) {
    open.close(reason.code);
    return null;
  }
  if (!receiving()) return { tone: "warn", icon: "box", sound: "wrong", sentence: _("Scan the box first, then the tubes.") };
  if (reason) await decide("reject", { reason: reason.code });
  else if (COMMANDS[code]) await actions[COMMANDS[code]]();
  else return { tone: "danger", icon: "question", sound: "wrong", sentence: _("This command is not known. Print the sheet again.") };
  return null;
}

async function onScan(code, { how, kind }) {
  if (code.startsWith("CMD")) return command(code);
  if (document.querySelector("dialog[open]")) {
    play("wrong");
    return null;
  }
  if (kind === "offer") return takeOffer(code, how);
  if (kind === "box" || kind === "consignment") return openBox(code);
  if (kind === "seal" && box() && ["in_transit", "arrived"].includes(box().state)) return handOver({ seal_tail: code.slice(-4) }, how);
  if (!box() && kind === "foreign") return openBox(code).catch(() => looseTube(code, how));
  if (!box()) return looseTube(code, how);
  return scanTube(code, how);
}

function move(step) {
  const shown = Array.from(root.querySelectorAll("[data-tube]"));
  if (!shown.length) return;
  const at = shown.findIndex((row) => Number(row.dataset.tube) === currentId);
  const next = shown[Math.max(0, Math.min(shown.length - 1, at + step))];
  currentId = Number(next.dataset.tube);
  render();
  const row = root.querySelector(`[data-tube="${currentId}"]`);
  if (row) row.scrollIntoView({ block: "nearest" });
}

function wire() {
  const run = (name) => Promise.resolve(actions[name]()).catch(toastError);
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    button.blur();
    run(button.dataset.do);
  });
  part("handover-form").addEventListener("submit", (event) => submitHandover(event).catch(toastError));
  const letters = { KeyG: "good", KeyD: "damaged", KeyL: "leaked", KeyR: "reject", KeyC: "concession", KeyT: "tick", KeyA: "accept", KeyM: "missing", KeyB: "wholebox", KeyF: "finish", KeyU: "unexpected" };
  const keys = Object.fromEntries(Object.entries(letters).map(([code, name]) => [code, () => run(name)]));
  startKeys(keys, { active: receiving });
  startKeys({ ArrowDown: () => move(1), ArrowUp: () => move(-1) }, { active: () => Boolean(box()) });
}

async function start() {
  await ready;
  panel = createScanPanel(document.getElementById("desk-scan"), { onScan });
  wire();
  const wanted = new URLSearchParams(location.search).get("tube");
  if (wanted) currentId = (tubes().find((tube) => tube.accession === wanted) || {}).id || null;
  render();
  if (box() && ["in_transit", "arrived"].includes(box().state)) document.getElementById("pin").focus();
  root.dataset.started = "1";
  setInterval(() => poll().catch(() => undefined), POLL_MS);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && document.activeElement !== document.body) document.activeElement.blur(); });
}

start().catch((error) => { console.error("receiver", error); toast(_("Something went wrong on this page. Please load it again."), "danger"); });
