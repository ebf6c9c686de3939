/** Loads on the way back. Laboratory: choose many sites, scan seals. Township: scan or tick, say the condition, finish. */
import { submit } from "../acts.js";
import { askInWords } from "../ask.js";
import { _, ready } from "../i18n.js";
import { normalise } from "../numbers.js";
import { createScanPanel } from "../scan-panel.js";
import { toast, toastError } from "../toast.js";
import { refresh, went } from "./office.js";

const PARTS = ["#coming", "#outgoing"];
const scanned = new Set(); // items whose label was read, or else they were ticked by hand
let panel = null;

function chooseSites(which) {
  for (const box of document.querySelectorAll("input[name=site]")) box.checked = which === "all" || (which === "today" && "stop" in box.dataset);
  countSites();
}

function countSites() {
  const words = document.querySelector("[data-register-words]");
  const n = document.querySelectorAll("input[name=site]:checked").length;
  if (words) words.textContent = n ? _("Register for %(n)s sites", { n }) : _("Register for the chosen sites");
}

/** A seal that was scanned chooses its row; Enter goes on to the next one instead of sending the form. */
function onSeal(event) {
  const row = event.target.closest("[data-batch]");
  const choose = row && row.querySelector("input[name=row]");
  if (choose && !choose.disabled) choose.checked = Boolean(event.target.value.trim());
}

function nextSeal(event) {
  if (event.key !== "Enter" || !event.target.matches("[data-seal]")) return;
  event.preventDefault();
  const fields = Array.from(document.querySelectorAll("[data-seal]"));
  const next = fields[fields.indexOf(event.target) + 1];
  if (next) next.focus();
  else event.target.form.querySelector("[type=submit]").focus();
}

const rowOf = (number) => document.querySelector(`[data-item="${CSS.escape(number)}"]`);

function onScan(text) {
  const code = normalise(text);
  const row = rowOf(code);
  if (!row) return { tone: "danger", icon: "cross-circle", sound: "wrong", code, sentence: _("This is in no box that waits here.") };
  if (!["expected", "missing"].includes(row.dataset.outcome)) return { tone: "warn", icon: "check", sound: "already", code, sentence: _("Already received. It is not counted twice.") };
  scanned.add(code);
  for (const other of document.querySelectorAll(".load-line-row.is-current")) other.classList.remove("is-current");
  row.classList.add("is-current");
  row.scrollIntoView({ block: "center" });
  row.querySelector("[data-condition]").focus();
  return { tone: "ok", icon: "check-circle", sound: "ok", code, sentence: _("It is there. Now say its condition.") };
}

const tell = (answer, done) => toast(went(answer) ? done : answer.sentence, went(answer) ? "ok" : "danger");

/** What was typed to sign with stays when it is refused. */
async function record(type, options, done) {
  const desk = document.querySelector("[data-load-desk]");
  const answer = await submit(type, { site: desk ? desk.dataset.site : null, ...options });
  tell(answer, done);
  if (went(answer) || type !== "hand_over") await refresh(PARTS);
}

async function onDesk(event) {
  const button = event.target.closest("button");
  const load = event.target.closest("[data-load]");
  if (!button || !load) return;
  const consignment = load.dataset.load;
  const row = button.closest("[data-item]");
  const item = row && row.dataset.item;
  if (button.dataset.condition) {
    await record("receive_item", { subject: { consignment, item }, payload: { condition: button.dataset.condition }, how: scanned.has(item) ? "scanned" : "ticked" }, _("%(item)s received.", { item }));
    next();
  } else if ("missing" in button.dataset) {
    await record("item_missing", { subject: { consignment, item } }, _("%(item)s declared missing. The laboratory is told.", { item }));
    next();
  } else if ("finish" in button.dataset) {
    await record("close_receipt", { subject: { consignment } }, _("Finished."));
  }
}

/** The focus goes on to what is left, so that nobody needs a mouse. */
function next() {
  const left = document.querySelector("[data-outcome=expected] [data-condition]") || document.querySelector("[data-finish]:not([disabled])");
  if (left) left.focus();
}

async function onSign(event) {
  const form = event.target.closest("[data-sign]");
  if (!form) return;
  event.preventDefault();
  const { count, pin } = form.elements;
  await record("hand_over", { subject: { consignment: form.dataset.sign }, payload: { other: form.dataset.holder, pin: pin.value, count: Number(count.value) } }, _("Signed by both and recorded."));
  if (document.querySelector("[data-item]") && !panel) location.reload();
}

async function onButton(event) {
  const cancel = event.target.closest("[data-cancel-load]");
  const release = event.target.closest("[data-release-item]");
  const found = event.target.closest("[data-found-condition]");
  if (found) {
    const item = found.closest("[data-found]").dataset.found;
    const answer = await submit("found_item", { subject: { item }, payload: { condition: found.dataset.foundCondition } });
    if (went(answer)) location.reload();
    else tell(answer);
  } else if (cancel) {
    await decide("cancel_consignment", { consignment: cancel.dataset.cancelLoad }, _("Take everything out again?"), _("The load does not travel. What was inside stands here again."));
  } else if (release) {
    await decide("release_item", { item: release.dataset.releaseItem }, _("Release this item?"), _("You state that it may be used in spite of the temperature."));
  }
}

/** Ask why, send it, and show the page as it is then. */
async function decide(type, subject, title, text) {
  const question = { title, text, label: _("Reason"), action: _("Confirm") };
  const answer = await askInWords(question, (reason) => submit(type, { subject, payload: { reason } }));
  if (!answer) return;
  if (went(answer)) location.reload();
  else tell(answer);
}

async function start() {
  await ready;
  for (const button of document.querySelectorAll("[data-pick-sites]")) button.addEventListener("click", () => chooseSites(button.dataset.pickSites));
  document.addEventListener("change", (event) => event.target.matches("input[name=site]") && countSites());
  document.addEventListener("input", (event) => event.target.matches("[data-seal]") && onSeal(event));
  document.addEventListener("keydown", nextSeal);
  document.addEventListener("click", (event) => { onDesk(event).catch(toastError); onButton(event).catch(toastError); });
  document.addEventListener("submit", (event) => onSign(event).catch(toastError));
  const scan = document.getElementById("load-scan");
  if (scan) panel = createScanPanel(scan, { onScan });
  document.documentElement.dataset.loads = "1";
}

start().catch((error) => console.error("loads", error));
