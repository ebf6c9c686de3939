/** The inbox: fresh every two seconds while somebody looks, acknowledged with a word. */
import { api } from "../api.js";
import { openDialog } from "../dialog.js";
import { busy, clearErrors, showFieldError } from "../forms.js";
import { _, ready } from "../i18n.js";
import { toast, toastError } from "../toast.js";

const EVERY_MS = 2000;
const AFTER_ERROR_MS = 8000;
const inbox = document.getElementById("inbox");
const live = document.querySelector("[data-live]");
let tag = null;
let wanted = null;

/** Replace the rows unless somebody is in the middle of them. */
async function refresh(force = false) {
  const answer = await fetch(inbox.dataset.rows, { credentials: "same-origin", cache: "no-store", headers: tag && !force ? { "If-None-Match": tag } : {} });
  if (answer.status === 304) return;
  if (!answer.ok || answer.redirected) throw new Error(`inbox ${answer.status}`);
  const html = await answer.text();
  tag = answer.headers.get("ETag");
  const focused = inbox.contains(document.activeElement) ? document.activeElement : null;
  const mark = focused && (focused.dataset.acknowledge ? `[data-acknowledge="${focused.dataset.acknowledge}"]` : focused.getAttribute("href") && `[href="${focused.getAttribute("href")}"]`);
  const page = new DOMParser().parseFromString(html, "text/html");
  inbox.replaceChildren(...page.body.childNodes);
  const again = mark && inbox.querySelector(mark);
  if (again) again.focus({ preventScroll: true });
}

async function watch() {
  let wait = EVERY_MS;
  if (!document.hidden) {
    try {
      await refresh();
      if (live) live.hidden = false;
    } catch (error) {
      if (live) live.hidden = true;
      wait = AFTER_ERROR_MS;
    }
  }
  setTimeout(watch, wait * (0.85 + Math.random() * 0.3));
}

/** One after the other; one that somebody else has acknowledged meanwhile does not stop the rest. */
async function acknowledge(word) {
  const ids = wanted.split(",");
  for (const id of ids) {
    try {
      await api(`/api/v1/alerts/${id}/acknowledge`, { body: { word } });
    } catch (error) {
      if (ids.length === 1 || error.code !== "alert_acknowledged") throw error;
    }
  }
}

function wire() {
  const form = document.getElementById("acknowledge-form");
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-acknowledge], [data-word]") : null;
    if (!button) return;
    if (button.dataset.word) {
      form.elements.word.value = button.dataset.word;
      form.elements.word.focus();
      return;
    }
    wanted = button.dataset.acknowledge;
    document.querySelector("[data-acknowledge-title]").textContent = button.dataset.title;
    form.reset();
    clearErrors(form);
    openDialog("acknowledge-dialog");
    form.elements.word.focus();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    try {
      await busy(form.querySelector("[type=submit]"), () => acknowledge(form.elements.word.value));
      form.closest("dialog").close();
      toast(_("Acknowledged: from here you answer for it."), "ok");
      if (inbox) await refresh(true);
      else location.reload();
    } catch (error) {
      if (!error.field || !showFieldError(form, error.field, error.sentence)) toastError(error);
    }
  });
}

/** Put off until later; what is critical for an hour at most. */
function wireSnooze() {
  const form = document.getElementById("snooze-form");
  let id = null;
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-snooze]") : null;
    if (!button) return;
    id = button.dataset.snooze;
    document.querySelector("[data-snooze-title]").textContent = button.dataset.title;
    form.reset();
    clearErrors(form);
    for (const option of form.elements.minutes.options) {
      option.hidden = Boolean(button.dataset.critical) && Number(option.value) > 60;
      option.disabled = option.hidden;
    }
    openDialog("snooze-dialog");
    form.elements.word.focus();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    try {
      const body = { word: form.elements.word.value, minutes: Number(form.elements.minutes.value) };
      await busy(form.querySelector("[type=submit]"), () => api(`/api/v1/alerts/${id}/snooze`, { body }));
      form.closest("dialog").close();
      toast(_("Put off."), "ok");
      if (inbox) await refresh(true);
      else location.reload();
    } catch (error) {
      if (!error.field || !showFieldError(form, error.field, error.sentence)) toastError(error);
    }
  });
}

async function start() {
  await ready;
  wire();
  wireSnooze();
  if (inbox) setTimeout(watch, EVERY_MS);
}

start().catch((error) => console.error("inbox", error));
