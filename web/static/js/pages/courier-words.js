/** Words and small pieces that every part of the courier's page shows. */
import { ago, formatTime, now } from "../clock.js";
import { chip, h, icon } from "../dom.js";
import { _, locale } from "../i18n.js";

export const own = (thing) => (locale === "en" ? thing.en : thing.zh) || thing.zh || thing.en;

export const siteName = (day, code) => (code && day.sites[code] ? own(day.sites[code]) : code || "–");
const BANDS = { cold_2_8: "2–8 °C", ambient_15_25: "15–25 °C", frozen: "≤ −20 °C" };
export const bandOf = (load) => BANDS[load.temp_class] || "";
/** Temperature class of a box. */
export function classChip(load) {
  const band = bandOf(load);
  if (!band) return null;
  return chip(band, load.temp_class === "ambient_15_25" ? "neutral" : "info", load.temp_class === "ambient_15_25" ? "thermometer" : "snowflake");
}

/** "will cross 8 °C at about 14:35 ± 6 min", or nothing. */
function leaves({ leaves: told }) {
  return told ? _("will cross %(limit)s °C at about %(at)s ± %(n)s min", { limit: told.limit_c, at: formatTime(told.at), n: told.error_min }) : null;
}

/** "6.1 °C, 2 min ago": the box's own logger, or that there is none. */
export function tempBadge(day, load) {
  const reading = day.temps && day.temps[load.box];
  if (!reading) return null;
  const tone = !reading.fresh ? "neutral" : !reading.inside ? "danger" : reading.leaves ? "warn" : "ok";
  const word = reading.inside ? leaves(reading) : _("outside %(band)s", { band: bandOf(load) });
  return h("span", { class: `temp tone-${tone}` }, icon("thermometer"), h("span", {},
    h("span", { class: "temp-value" }, `${reading.temp_c.toFixed(1)} °C`), " ",
    h("span", { class: "temp-note" }, [ago(reading.at), word].filter(Boolean).join(" · "))));
}

export const outside = (day, load) => { const reading = day.temps && day.temps[load.box]; return Boolean(reading && reading.fresh && !reading.inside); };

/** What a courier does about a box that is too warm or too cold. */
export function coldSteps(day, load) {
  if (!outside(day, load)) return null;
  return h("div", { class: "notice tone-danger", role: "alert" }, icon("warning"), h("div", { class: "notice-body" },
    h("strong", {}, _("Box %(box)s is outside %(band)s. Do this now:", { box: load.box, band: bandOf(load) })),
    h("ol", {},
      h("li", {}, _("Check that the lid is shut and the ice packs are in place.")),
      h("li", {}, _("Move the box out of the sun, to the coolest place in the car.")),
      h("li", {}, _("Call the laboratory and go there first.")))));
}

/** "1 h 20 min" of minutes. */
export function span(minutes) {
  const whole = Math.max(0, Math.round(minutes));
  if (whole < 60) return _("%(n)s min", { n: whole });
  return whole % 60 === 0 ? _("%(h)s h", { h: whole / 60 }) : _("%(h)s h %(m)s min", { h: Math.floor(whole / 60), m: whole % 60 });
}

/** Time left until a use-by, in words, with its tone. */
export function useByChip(at) {
  const minutes = (Date.parse(at) - now()) / 60000;
  if (minutes < 0) return chip(_("Expired %(at)s", { at: formatTime(at) }), "danger", "warning");
  return chip(_("Use by %(at)s · %(left)s left", { at: formatTime(at), left: span(minutes) }), minutes < 60 ? "danger" : minutes < 180 ? "warn" : "ok", "hourglass");
}

export const waitingChip = () => chip(_("Waiting to be sent"), "warn", "hourglass");

/** "2 boxes, 17 tubes" without plural trouble. */
export const amount = (boxes, tubes) => _("Boxes %(boxes)s · tubes %(tubes)s", { boxes, tubes });

/**
 * Put nodes into a place only when something to see has changed, and keep the focus where it was: a button must not
 * vanish under the thumb that presses it. Elements with data-key are the ones that keep the focus.
 */
export function swap(place, nodes) {
  const made = h("div", {}, nodes);
  if (place.innerHTML === made.innerHTML) return;
  const focused = place.contains(document.activeElement) && document.activeElement.closest("[data-key]");
  const key = focused ? focused.dataset.key : null;
  place.replaceChildren(...Array.from(made.childNodes));
  if (!key) return;
  const again = place.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (again) again.focus({ preventScroll: true });
}
