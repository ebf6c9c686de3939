/** What the pages of collectors and receivers share: acts on tubes, chips, printing, refreshing parts of a page. */
import { faceOf, submit } from "../acts.js";
import { formatTime, now } from "../clock.js";
import { chip, h, icon, meta } from "../dom.js";
import { _ } from "../i18n.js";
import { applyFilters } from "../table.js";

const SVG = "http://www.w3.org/2000/svg";

/** A tube's cap with its name. */
export function cap(colour, label) {
  if (!colour) return h("span", { class: "cap" }, label);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "cap-dot");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const circle = document.createElementNS(SVG, "circle");
  for (const [name, value] of [["cx", 8], ["cy", 8], ["r", 7], ["fill", colour]]) circle.setAttribute(name, value);
  svg.append(circle);
  return h("span", { class: "cap" }, svg, label);
}

export const tempWords = (value) => ({ cold_2_8: _("2–8 °C"), ambient_15_25: _("15–25 °C"), frozen: _("≤ −20 °C") }[value] || value);

export function tempChip(value) {
  const [tone, name] = { cold_2_8: ["info", "thermometer"], ambient_15_25: ["warn", "sun"], frozen: ["hold", "snowflake"] }[value] || ["neutral", "question"];
  return chip(tempWords(value), tone, name);
}

/** Only what is not routine is worth a chip. */
export function priorityChip(value) {
  if (value === "stat") return h("span", { class: "chip tone-danger chip-solid" }, icon("bolt"), _("STAT"));
  return value === "urgent" ? chip(_("Urgent"), "warn", "arrow-up") : null;
}

/** "use by 15:20" with its colour: red when past, amber in the last hour, null when no rule is known. */
export function useByChip(tube) {
  if (!tube.use_by) return null;
  const left = new Date(tube.use_by) - now();
  if (tube.stability === "expired" || left <= 0) return chip(_("Use-by passed %(time)s", { time: when(tube.use_by) }), "danger", "hourglass");
  if (left < 3600000) return chip(_("Use by %(time)s", { time: when(tube.use_by) }), "warn", "hourglass");
  return h("span", { class: "muted nowrap" }, _("Use by %(time)s", { time: when(tube.use_by) }));
}

/** Time of day, with the date when it is not today's. */
export function when(at) {
  const day = (value) => new Date(new Date(value).getTime() + 8 * 3600000).toISOString().slice(5, 10);
  return day(at) === day(now()) ? formatTime(at) : `${day(at)} ${formatTime(at)}`;
}

/** An act about a tube; when a number stands for several tubes, the user says which. Gives the answer. */
export async function act(type, options) {
  const answer = await submit(type, options);
  if (!["specimen_ambiguous", "specimen_astray"].includes(answer.code) || !answer.params || !answer.params.choices) return answer;
  const id = await choose(answer);
  if (id === null) return answer;
  if (id === STRANGER) return submit(type, { ...options, payload: { ...options.payload, stranger: true } });
  return submit(type, { ...options, subject: { ...options.subject, specimen_id: id } });
}

const STRANGER = "stranger";

function choose(answer) {
  return new Promise((resolve) => {
    let chosen = null;
    const element = h("dialog", { class: "dialog", "aria-labelledby": "choose-title" },
      h("div", { class: "dialog-head" }, h("h2", { id: "choose-title" }, _("Which tube is it?"))),
      h("div", { class: "dialog-body stack-sm" }, h("p", {}, answer.sentence),
        answer.params.choices.map((one) => h("button", { class: "btn btn-block", type: "button", onclick: () => { chosen = one.id; element.close(); } }, `${one.site} · ${one.registered_on}`)),
        answer.code === "specimen_astray" ? h("button", { class: "btn btn-block", type: "button", onclick: () => { chosen = STRANGER; element.close(); } }, _("None of these: another tube")) : null),
      h("div", { class: "dialog-foot" }, h("button", { class: "btn", type: "button", onclick: () => element.close() }, _("Cancel"))));
    element.addEventListener("close", () => { element.remove(); resolve(chosen); });
    document.body.append(element);
    element.showModal();
  });
}

/** An answer as a scan panel shows it. `done` is the sentence when all went well. */
export function face(answer, done) {
  const look = faceOf(answer.status);
  const sentence = answer.status === "done" ? done : answer.status === "duplicate" ? _("Already recorded. Nothing was counted twice.") : answer.sentence;
  return { tone: look.tone, icon: look.icon, sound: look.sound, sentence };
}

export const went = (answer) => ["done", "duplicate", "waiting"].includes(answer.status);

/** Open a PDF that is made by POST, e.g. printFrom("/print/…", {version: 1}). */
export function printFrom(url, fields = {}) {
  const form = h("form", { method: "post", action: url, target: "_blank", hidden: true }, Object.entries({ csrf_token: meta("csrf-token"), ...fields }).map(([name, value]) => h("input", { type: "hidden", name, value })));
  document.body.append(form);
  form.submit();
  form.remove();
}

/** Fetch this page again and take over the named parts; checked boxes and filters stay. */
export async function refresh(selectors, path = location.href) {
  const answer = await fetch(path, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const selector of selectors) {
    const here = document.querySelector(selector);
    const there = page.querySelector(selector);
    if (!here || !there) continue;
    const checked = new Set(Array.from(here.querySelectorAll("input[type=checkbox]:checked"), (box) => box.value));
    here.replaceChildren(...Array.from(there.childNodes, (node) => document.importNode(node, true)));
    for (const box of here.querySelectorAll("input[type=checkbox]")) box.checked = checked.has(box.value);
    const table = here.closest("table");
    if (table && table.id) applyFilters(table);
  }
  for (const live of document.querySelectorAll("[data-live]")) {
    const there = page.querySelector(`[data-live="${live.dataset.live}"]`);
    if (there) live.textContent = there.textContent;
  }
  document.dispatchEvent(new CustomEvent("page:refreshed"));
}

/** Ask again every so often while somebody looks. */
export function refreshEvery(seconds, selectors) {
  setInterval(() => document.visibilityState === "visible" && refresh(selectors).catch(() => undefined), seconds * 1000);
}
