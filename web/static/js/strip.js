/** The strip in the bar and its dialog: what was sent, what waits, when the server was last heard. */
import { contact, contactAge } from "./api.js";
import { formatTime, now, rate } from "./clock.js";
import { chip, fill, h, icon, meta, setTone } from "./dom.js";
import { _, ready } from "./i18n.js";
import { dismiss, outbox, refusals, retryStuck, state, waiting } from "./outbox.js";
import { toast } from "./toast.js";

const SILENT_MS = 90000;
let spoken = false; // before the words of the language are there the server's own text stands

/** The word for an act's type, in the user's language. */
export const actName = (type) => ({
  register: _("Registered"), collect: _("Collected"), collection_failed: _("Collection failed"), recollect: _("Collected again"),
  pack: _("Packed"), unpack: _("Taken out"), seal: _("Sealed"), unseal: _("Seal opened"), cancel_consignment: _("Consignment cancelled"),
  ready: _("Ready for pickup"), urgent_call: _("Urgent call"), hand_over: _("Handover"), sign_handover: _("Giver signed"), seal_broken: _("Seal broken"), reseal: _("New seal"), arrive: _("Arrived"), depart: _("Departed"),
  receive: _("Received"), receive_unexpected: _("Received, unexpected"), declare_missing: _("Declared missing"), found: _("Found"),
  receive_all: _("Received together"), deviation: _("Deviation of the box"), settle: _("Finding settled"), reject_tests: _("Tests rejected"), decide_all: _("Decision for the box"),
  close_receipt: _("Receipt closed"), accept: _("Accepted"), reject: _("Rejected"), hold: _("Put on hold"), release: _("Released"),
  recall: _("Recalled"), recall_consignment: _("Consignment recalled"), returned: _("Recalled tube in hand"), lost: _("Lost"), dispose: _("Disposed"), note: _("Remark"), correct: _("Correction"), position: _("Position"),
  register_item: _("Load item registered"), pack_item: _("Load item packed"), unpack_item: _("Load item taken out"), return_box: _("Box sent home"), receive_item: _("Load item received"),
  item_missing: _("Load item missing"), found_item: _("Load item found"), release_item: _("Load item released"), dispose_item: _("Load item used up or withdrawn"), release_send_out: _("Sent out"), confirm_send_out: _("Send-out confirmed"),
}[type] || type);

function heardAt() {
  const age = contactAge();
  return age === null ? null : formatTime(new Date(now().getTime() - age * (rate() || 1)));
}

function face() {
  const { waiting: count, refused, problem } = state();
  const age = contactAge();
  const silent = age === null || age > SILENT_MS;
  if (problem === "login_required") return { tone: "danger", icon: "lock", text: _("Sign in again to send") };
  if (refused) return { tone: "danger", icon: "warning", text: _("%(n)s need attention", { n: refused }) };
  if (count) return { tone: "warn", icon: silent || problem ? "offline" : "sync", text: _("%(n)s waiting", { n: count }) };
  if (silent && age !== null) return { tone: "warn", icon: "offline", text: _("No connection") };
  return { tone: "ok", icon: "cloud-check", text: _("Sent") };
}

function paint() {
  const strip = document.getElementById("strip");
  if (!strip || !spoken) return;
  const { tone, icon: name, text } = face();
  const at = heardAt();
  setTone(strip, tone);
  strip.querySelector(".icon").replaceWith(icon(name));
  strip.querySelector(".strip-text").textContent = text;
  strip.querySelector(".strip-long").textContent = at ? _("last contact %(time)s", { time: at }) : "";
}

function row(entry, side) {
  return h("li", { class: "work" }, h("div", { class: "work-main" },
    h("div", { class: "work-title" }, actName(entry.type), h("code", {}, entry.code)),
    h("div", { class: "work-sub" }, (entry.answer && entry.answer.sentence) || entry.stuck || formatTime(entry.act.occurred_at))), h("div", { class: "work-side" }, side));
}

async function list() {
  const [rows, bad] = [await waiting(), await refusals()];
  const at = heardAt();
  const parts = [rows.length ? _("%(n)s waiting on this device. They are safe here and go out by themselves.", { n: rows.length }) : _("Everything is sent."), at && _("last contact %(time)s", { time: at })];
  document.getElementById("outbox-summary").textContent = parts.filter(Boolean).join(" ");
  fill(document.getElementById("outbox-list"),
    bad.map((entry) => row(entry, [chip(entry.answer.status === "review" ? _("Kept for review") : _("Refused"), entry.answer.status === "review" ? "hold" : "danger", "warning"),
      h("button", { class: "btn btn-sm", type: "button", onclick: () => dismiss(entry.uuid).then(list) }, _("Understood"))])),
    rows.map((entry) => row(entry, chip(entry.stuck ? _("Not understood") : _("Waiting"), entry.stuck ? "danger" : "warn", "hourglass"))));
}

/** Refuse to sign out while something waits: on a shared device the next user could not send it. */
function guardSignOut() {
  for (const form of document.querySelectorAll("form[data-signout]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const rows = await waiting();
      if (rows.length) {
        toast(_("%(n)s acts are not sent yet. Stay signed in until they are; they would stay behind on this device.", { n: rows.length }), "danger");
        document.getElementById("outbox-dialog").showModal();
        return;
      }
      if (navigator.serviceWorker && navigator.serviceWorker.controller) navigator.serviceWorker.controller.postMessage("signed-out");
      form.submit();
    });
  }
}

export function startStrip() {
  if (!meta("user")) return;
  outbox.addEventListener("changed", paint);
  outbox.addEventListener("refused", ({ detail }) => {
    if (!detail.answer.quiet) toast(`${actName(detail.row.type)} ${detail.row.code}: ${detail.answer.sentence}`, detail.answer.status === "review" ? "hold" : "danger");
  });
  contact.addEventListener("heard", paint);
  setInterval(paint, 5000);
  ready.then(() => {
    spoken = true;
    paint();
  });
  const dialog = document.getElementById("outbox-dialog");
  document.getElementById("strip").addEventListener("click", () => list());
  outbox.addEventListener("changed", () => dialog.open && list());
  document.getElementById("outbox-send").addEventListener("click", () => retryStuck().then(list));
  guardSignOut();
}
