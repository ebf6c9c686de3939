/** The packing bench: box, tubes, seal, ready. Collecting sites and laboratories that forward use it alike. */
import { api } from "../api.js";
import { submit } from "../acts.js";
import { ask, askUntilTaken } from "../ask.js";
import { confirmDialog } from "../dialog.js";
import { openGive } from "../give.js";
import { stockUp } from "../handover-offer.js";
import { fill, h, icon } from "../dom.js";
import { ready, _ } from "../i18n.js";
import { createScanPanel } from "../scan-panel.js";
import { toast, toastError } from "../toast.js";
import { act, cap, face, priorityChip, printFrom, refresh, refreshEvery, tempChip, tempWords, useByChip, went } from "./office.js";

const PARTS = ["#loads", "#calls"];
const root = document.querySelector("[data-pack]");
const part = (name) => root.querySelector(`[data-${name}]`);
let state = JSON.parse(root.dataset.state);
let panel = null;

function tubeRow(tube, action = null) {
  const road = action ? [] : [tempChip(tube.temp_class), h("span", {}, `→ ${tube.destination_name}`)];
  return h("li", { class: "work" },
    h("div", { class: "work-main" }, h("div", { class: "work-title" }, h("code", {}, tube.accession), priorityChip(tube.priority)), h("div", { class: "work-sub" }, cap(tube.cap, tube.container), h("span", {}, tube.tests.join(_(", "))), road)),
    h("div", { class: "work-side" }, useByChip(tube), action));
}

function render() {
  const { box, consignment, tubes, waiting } = state;
  part("box-empty").hidden = Boolean(box);
  part("box-full").hidden = !box;
  part("box-title").textContent = box ? box.code : _("No box yet");
  fill(part("box-chips"), box && tempChip(box.temp_class), consignment && priorityChip(consignment.priority));
  part("print-box").hidden = !box;
  if (box) part("print-box").action = box.label_url;
  const sealed = Boolean(consignment && consignment.state !== "open");
  if (box) {
    part("count").textContent = String(tubes.length);
    part("capacity").textContent = String(box.capacity);
    part("destination").textContent = consignment ? consignment.destination_name : _("The first tube decides");
    part("consignment").textContent = consignment ? consignment.number : "";
    part("through-field").hidden = Boolean(consignment);
    part("seal-form").hidden = sealed || !tubes.length;
    part("sealed").hidden = !sealed;
  }
  if (sealed) {
    part("seal").textContent = consignment.seal || "";
    part("version").textContent = _("manifest version %(n)s", { n: consignment.version });
    part("print-manifest").action = consignment.manifest_url;
    part("print-label").action = consignment.label_url;
  }
  const takeOut = (tube) => h("button", { class: "btn btn-sm btn-quiet", type: "button", onclick: () => unpack(tube) }, icon("undo"), _("Take out"));
  fill(part("inside"), tubes.length ? tubes.map((tube) => tubeRow(tube, sealed ? null : takeOut(tube))) : h("li", { class: "work work-sub" }, _("Empty.")));
  part("inside-count").textContent = String(tubes.length);
  const fitting = box ? waiting.filter((tube) => tube.temp_class === box.temp_class) : waiting;
  const others = waiting.filter((tube) => !fitting.includes(tube));
  fill(part("left"),
    waiting.length ? null : h("li", { class: "work work-sub" }, icon("check-circle"), _("Nothing is left behind.")),
    fitting.map((tube) => tubeRow(tube)),
    others.length ? h("li", { class: "work work-heading" }, _("For a box of another class")) : null,
    others.map((tube) => tubeRow(tube)));
  part("left-count").textContent = String(waiting.length);
}

async function load(code) {
  state = await api(`${root.dataset.endpoint}?box=${encodeURIComponent(code)}`);
  const address = new URL(location.href);
  if (code) address.searchParams.set("box", code);
  else address.searchParams.delete("box");
  history.replaceState(null, "", address);
  render();
}

async function openBox(code) {
  await load(code);
  const { box, consignment, tubes } = state;
  panel.count(tubes.length, box.capacity);
  if (consignment && consignment.state !== "open") return { tone: "info", icon: "seal", sound: "ok", sentence: _("This box is sealed: %(n)s tubes for %(place)s.", { n: tubes.length, place: consignment.destination_name }) };
  return { tone: "ok", icon: "box-open", sound: "ok", sentence: consignment ? _("%(n)s tubes so far, for %(place)s.", { n: tubes.length, place: consignment.destination_name }) : _("Empty box, %(class)s. Scan the tubes.", { class: tempWords(box.temp_class) }) };
}

async function packTube(code, how) {
  if (!state.box) return { tone: "warn", icon: "box", sound: "wrong", sentence: _("Scan the box first, then the tubes.") };
  const answer = await act("pack", { subject: { specimen: code, box: state.box.code }, how, payload: part("through").checked ? { through: true } : {} });
  if (answer.status === "done") await load(state.box.code);
  if (answer.code === "specimen_in_this_box") return { tone: "warn", icon: "check", sound: "already", sentence: _("Already in this box. It is not counted twice.") };
  const shown = face(answer, _("In the box: %(n)s. Next laboratory: %(place)s.", { n: answer.result ? answer.result.count : "", place: state.consignment ? state.consignment.destination_name : "" }));
  if (answer.code === "wrong_temperature_class") shown.sentence = _("Wrong box: this tube needs %(needs)s, the box keeps %(has)s. Take a box for %(needs)s.", { needs: tempWords(answer.params.needs), has: tempWords(answer.params.has) });
  return shown;
}

async function unpack(tube) {
  const answer = await act("unpack", { subject: { specimen: tube.accession, specimen_id: tube.id } });
  if (!went(answer)) toast(answer.sentence, "danger");
  else panel.show({ tone: "info", icon: "undo", code: tube.accession, sentence: _("Taken out of the box.") });
  await load(state.box.code);
}

async function seal(number, how) {
  const { box, consignment, tubes } = state;
  if (!consignment || !tubes.length) return { tone: "warn", icon: "seal", sound: "wrong", sentence: _("There is nothing to seal yet. Scan the box and its tubes first.") };
  const sure = await confirmDialog({ title: _("Seal box %(box)s?", { box: box.code }), text: _("%(n)s tubes for %(place)s, seal %(seal)s. The manifest locks.", { n: tubes.length, place: consignment.destination_name, seal: number }), action: _("Seal and print") });
  if (!sure) return { tone: "neutral", icon: "seal", sentence: _("Not sealed.") };
  const answer = await submit("seal", { subject: { consignment: consignment.number }, payload: { seal: number }, how });
  if (answer.status === "done" || answer.status === "duplicate") {
    await load(box.code);
    printFrom(state.consignment.manifest_url);
    part("ready").focus();
    refresh(PARTS).catch(() => undefined);
  }
  return face(answer, _("Sealed. The manifest is locked and prints."));
}

async function tellReady() {
  const answer = await submit("ready", { site: state.site });
  toast(went(answer) ? _("Dispatch knows: %(n)s box(es) ready.", { n: (answer.result && answer.result.boxes) || 1 }) : answer.sentence, went(answer) ? "ok" : "danger");
  await refresh(PARTS);
}

async function unseal() {
  const form = document.getElementById("unseal-form");
  const send = ({ reason }) => submit("unseal", { subject: { consignment: state.consignment.number }, payload: { reason } });
  const answer = await askUntilTaken(form, (refused) => ask(document.getElementById("unseal-dialog"), form, refused), send);
  if (!answer) return;
  if (!went(answer)) toast(answer.sentence, "danger");
  await load(state.box.code);
  refresh(PARTS).catch(() => undefined);
}

async function urgentCall() {
  const form = document.getElementById("urgent-form");
  const send = (said) => submit("urgent_call", { site: state.site, payload: { within_min: Number(said.within_min), note: said.note } });
  const answer = await askUntilTaken(form, (refused) => ask(document.getElementById("urgent-dialog"), form, refused), send);
  if (!answer) return;
  toast(went(answer) ? _("Dispatch has been called.") : answer.sentence, went(answer) ? "ok" : "danger");
  await refresh(PARTS);
}

async function onScan(code, { how, kind }) {
  if (kind === "box") return openBox(code);
  if (kind === "seal") return seal(code, how);
  if (kind === "consignment") return { tone: "warn", icon: "qr", sound: "wrong", sentence: _("This is a consignment label. Scan the box or a tube.") };
  return packTube(code, how);
}

/** All sealed boxes that stand here, signed for on this device; the courier scans the code. */
async function handOver(button) {
  const loads = Array.from(document.querySelectorAll("#loads [data-give]"), (row) => JSON.parse(row.dataset.give));
  if (await openGive({ loads, meaning: "pickup", couriers: JSON.parse(button.dataset.couriers), site: state.site })) await refresh(PARTS);
}

function wire() {
  document.addEventListener("click", (event) => {
    const give = event.target.closest("[data-hand-over]");
    if (give) handOver(give).catch(toastError);
  });
  document.addEventListener("click", (event) => {
    const pick = event.target.closest("[data-box]");
    if (pick) openBox(pick.dataset.box).then((shown) => { panel.show({ code: pick.dataset.box, ...shown }); root.scrollIntoView({ block: "start" }); }).catch(toastError);
  });
  part("seal-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = event.target.elements.seal;
    const number = field.value.trim().toUpperCase();
    if (!number) return;
    seal(number, "typed").then((shown) => { panel.show({ code: number, ...shown }); if (shown.tone === "ok") field.value = ""; }).catch(toastError);
  });
  part("ready").addEventListener("click", () => tellReady().catch(toastError));
  part("unseal").addEventListener("click", () => unseal().catch(toastError));
  part("next-box").addEventListener("click", () => load("").then(() => panel.show({ code: _("Ready to scan"), sentence: "" })).catch(toastError));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-urgent]")) urgentCall().catch(toastError);
  });
}

async function start() {
  await ready;
  panel = createScanPanel(document.getElementById("pack-scan"), { onScan });
  wire();
  render();
  root.dataset.started = "1";
  stockUp(); // ids for handovers, while there is a signal
  refreshEvery(20, PARTS);
}

start().catch((error) => console.error("pack", error));
