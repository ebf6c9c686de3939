/** A sheet from below, and the words that only sheets need. */
import { css } from "../css.js";
import { h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { own } from "./courier-words.js";

export const STYLE = new URL("../../css/pages/courier-visit.css", import.meta.url).href;
css(STYLE);

export const personName = (person) => own(person) || person.username;
export const reasonName = (day, code) => { const found = day.reasons.find((one) => one.code === code); return found ? own(found) : code; };

const LIMITS = { cold_2_8: [2, 8], ambient_15_25: [15, 25], frozen: [-60, -15] };
export const insideBand = (load, temp) => { const limits = LIMITS[load.temp_class]; return !limits || (temp >= limits[0] && temp <= limits[1]); };

/** A bottom sheet. body and foot are elements; resolves when it closes. */
export function sheet(title, body, foot = []) {
  const id = `sheet-${Math.random().toString(36).slice(2, 8)}`;
  const element = h("dialog", { class: "dialog courier-sheet", "aria-labelledby": id },
    h("div", { class: "dialog-head" }, h("h2", { id }, title), h("button", { class: "btn btn-quiet btn-icon", type: "button", "data-close": true, "aria-label": _("Close") }, icon("cross"))),
    h("div", { class: "dialog-body stack" }, body),
    foot.length ? h("div", { class: "dialog-foot" }, foot) : null);
  const closed = new Promise((done) => element.addEventListener("close", () => { element.remove(); done(element.returnValue); }));
  document.body.append(element);
  element.showModal();
  return { element, closed, close: (value) => element.close(value) };
}
