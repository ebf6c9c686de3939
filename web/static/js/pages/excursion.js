/** One excursion: the chart, choosing dispositions one by one or for many, signing them together. */
import { api } from "../api.js";
import { createTempChart } from "../chart.js";
import { confirmDialog } from "../dialog.js";
import { busy, clearErrors, showFieldError } from "../forms.js";
import { _, ready } from "../i18n.js";
import { toast, toastError } from "../toast.js";
import { uuid } from "../uuid.js";

const NEEDS_REASON = ["reject", "recollect", "concession"];
const PART = 200;

const form = document.getElementById("assessment");
const rows = () => Array.from(document.querySelectorAll("tr[data-tube]"));
const part = (row, name) => row.querySelector(`[data-${name}]`);

function showReason(row) {
  const reason = part(row, "reason");
  const wanted = part(row, "disposition").value;
  // The reasons stand once on the page: with hundreds of tubes a list for each would be most of it.
  if (NEEDS_REASON.includes(wanted) && reason.options.length === 1) reason.append(document.getElementById("reasons").content.cloneNode(true));
  for (const option of reason.options) {
    const fits = !option.value || option.dataset.for.split(" ").includes(wanted);
    option.hidden = !fits;
    option.disabled = !fits;
  }
  if (reason.selectedOptions[0] && reason.selectedOptions[0].disabled) reason.value = "";
  reason.hidden = !NEEDS_REASON.includes(wanted);
  part(row, "row-error").hidden = true;
  row.dataset.act = "";
}

function count() {
  const chosen = rows().filter((row) => part(row, "choose").checked).length;
  const decided = rows().filter((row) => part(row, "disposition").value).length;
  document.querySelector("[data-chosen]").textContent = chosen ? _("%(n)s chosen", { n: chosen }) : "";
  document.querySelector("[data-sign]").textContent = decided ? _("Sign for %(n)s tubes", { n: decided }) : _("Sign");
  form.querySelector("[type=submit]").disabled = !decided;
}

/** Set what fits: a tube that cannot be disposed of in this way keeps what it had. */
function setAll(wanted) {
  let left = 0;
  for (const row of rows().filter((one) => part(one, "choose").checked)) {
    const select = part(row, "disposition");
    const value = wanted === "proposal" ? row.dataset.proposal : wanted;
    if (value && Array.from(select.options).some((option) => option.value === value)) select.value = value;
    else left += 1;
    showReason(row);
  }
  if (left) toast(_("%(n)s tubes cannot be disposed of in this way now and were left as they are.", { n: left }), "warn");
  count();
}

/** A reason chosen for one of several chosen tubes is the reason of them all. */
function shareReason(row) {
  const value = part(row, "reason").value;
  if (!part(row, "choose").checked) return;
  for (const other of rows()) {
    if (!part(other, "choose").checked || part(other, "reason").hidden || part(other, "reason").value) continue;
    const same = Array.from(part(other, "reason").options).find((option) => option.value === value);
    if (same && !same.disabled) part(other, "reason").value = value;
  }
}

function rowError(row, sentence) {
  const note = part(row, "row-error");
  note.textContent = sentence;
  note.hidden = false;
}

async function sign() {
  clearErrors(form);
  const decided = rows().filter((row) => part(row, "disposition").value);
  const lacking = decided.filter((row) => NEEDS_REASON.includes(part(row, "disposition").value) && !part(row, "reason").value);
  for (const row of lacking) rowError(row, _("A reason is needed."));
  if (lacking.length) {
    part(lacking[0], "reason").focus();
    return;
  }
  if (!form.elements.comment.value.trim()) {
    showFieldError(form, "comment", _("Say in a few words what you considered."));
    return;
  }
  const sure = await confirmDialog({ title: _("Sign for %(n)s tubes?", { n: decided.length }), text: _("It stands on the record of each tube under your name and cannot be taken back."), action: _("Sign") });
  if (!sure) return;
  const tubes = decided.map((row) => {
    row.dataset.act = row.dataset.act || uuid();
    return { id: row.dataset.act, specimen_id: Number(row.dataset.tube), disposition: part(row, "disposition").value, reason: part(row, "reason").hidden ? "" : part(row, "reason").value, seen: row.dataset.verdict };
  });
  const answer = { answers: [] };
  await busy(form.querySelector("[type=submit]"), async () => {
    // In parts: each is signed as a whole, and what was signed before a part fails stays signed.
    for (let begin = 0; begin < tubes.length; begin += PART) {
      const some = await api(form.dataset.url, { body: { comment: form.elements.comment.value, tubes: tubes.slice(begin, begin + PART) }, timeout: 60000 });
      answer.answers.push(...some.answers);
    }
  });
  const wrong = answer.answers.filter((one) => !["done", "duplicate"].includes(one.status));
  if (!wrong.length) {
    sessionStorage.setItem("signed", String(tubes.length));
    location.reload();
    return;
  }
  for (const one of answer.answers) {
    const row = document.querySelector(`tr[data-tube="${one.specimen_id}"]`);
    row.dataset.act = "";
    if (!wrong.includes(one)) part(row, "disposition").value = "";
  }
  for (const one of wrong) rowError(document.querySelector(`tr[data-tube="${one.specimen_id}"]`), one.sentence);
  toast(_("%(n)s signed, %(m)s not: see the rows.", { n: tubes.length - wrong.length, m: wrong.length }), "danger");
  count();
}

function wire() {
  document.querySelector("[data-all]").addEventListener("change", (event) => {
    for (const row of rows()) part(row, "choose").checked = event.target.checked;
    count();
  });
  document.querySelector("[data-bulk]").addEventListener("change", (event) => {
    if (!rows().some((row) => part(row, "choose").checked)) for (const row of rows()) part(row, "choose").checked = true;
    if (event.target.value) setAll(event.target.value);
    event.target.value = "";
  });
  document.querySelector("[data-choose-by]").addEventListener("change", (event) => {
    if (event.target.value) for (const row of rows()) part(row, "choose").checked = row.dataset.verdict === event.target.value;
    event.target.value = "";
    count();
  });
  for (const row of rows()) {
    part(row, "disposition").addEventListener("change", () => { showReason(row); count(); });
    part(row, "reason").addEventListener("change", () => { part(row, "row-error").hidden = true; row.dataset.act = ""; shareReason(row); });
    part(row, "choose").addEventListener("change", count);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sign().catch((error) => { if (!error.field || !showFieldError(form, error.field, error.sentence)) toastError(error); });
  });
  count();
}

async function start() {
  await ready;
  for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
  if (form && form.querySelector("[data-bulk]")) wire();
  const signed = sessionStorage.getItem("signed");
  sessionStorage.removeItem("signed");
  if (signed) toast(_("Signed for %(n)s tubes.", { n: signed }), "ok");
  const element = document.querySelector("[data-chart]");
  if (element) await createTempChart(element, { ...JSON.parse(element.dataset.chart), maxGapS: 1500, label: element.dataset.label, height: 340 });
}

start().catch((error) => console.error("excursion", error));
