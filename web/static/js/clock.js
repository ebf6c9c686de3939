/**
 * Business time in the browser: the server's clock (simulated in the demo) carried on between contacts.
 * now() is a Date; formatTime/formatDate/ago write it as Asia/Shanghai. Elements with data-clock show it.
 */
import { api } from "./api.js";
import { _, lang } from "./i18n.js";

const KEY = "labrelay.clock";
const ZONE = "Asia/Shanghai";
let anchor = firstAnchor();

function remember(server, rate) {
  anchor = { server, rate, tick: performance.now() };
  try {
    localStorage.setItem(KEY, JSON.stringify({ server, rate, wall: Date.now() }));
  } catch (error) {
    /* only the start without a signal is less exact then */
  }
}

/** The page's own anchor, unless the page came out of a cache: then the last one that the server gave. */
function firstAnchor() {
  const element = document.querySelector('meta[name="clock"]');
  const server = element ? Date.parse(element.content) : NaN;
  const rate = element ? Number(element.dataset.rate || 1) : 1;
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(KEY));
  } catch (error) {
    kept = null;
  }
  const carried = kept ? kept.server + (Date.now() - kept.wall) * kept.rate : NaN;
  if (Number.isFinite(server) && !(kept && server <= kept.server)) {
    return { server, rate, tick: performance.now() };
  }
  if (Number.isFinite(carried)) return { server: carried, rate: kept.rate, tick: performance.now() };
  return { server: Number.isFinite(server) ? server : Date.now(), rate, tick: performance.now() };
}

/** Business time now. */
export const now = () => new Date(anchor.server + (performance.now() - anchor.tick) * anchor.rate);

/** Simulated seconds per real second (1 outside the demo, 0 when paused). */
export const rate = () => anchor.rate;

/** Ask the server again; half of the way there and back is taken off. */
export async function resync() {
  const before = performance.now();
  const answer = await api("/api/v1/clock", { timeout: 5000 });
  const halfway = ((performance.now() - before) / 2) * answer.rate;
  remember(Date.parse(answer.now) + halfway, answer.rate);
  document.dispatchEvent(new CustomEvent("clock:synced"));
}

/** "2026-03-02T08:12:00.000+08:00": an instant with its zone, as acts carry it. */
export function stamp(at = now()) {
  return `${new Date(at.getTime() + 8 * 3600000).toISOString().slice(0, -1)}+08:00`;
}

const toDate = (at) => (at instanceof Date ? at : new Date(at));
const timeForm = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const secondForm = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayForm = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit" });
const longDayForm = new Intl.DateTimeFormat(lang, { timeZone: ZONE, month: "long", day: "numeric", weekday: "short" });

export const formatTime = (at) => timeForm.format(toDate(at));
export const formatSeconds = (at) => secondForm.format(toDate(at));
export const formatDate = (at) => dayForm.format(toDate(at));
export const formatLongDate = (at) => longDayForm.format(toDate(at));

/** "just now", "4 min ago", "2 h 10 min ago" before business time. */
export function ago(at) {
  const minutes = Math.floor((now() - toDate(at)) / 60000);
  if (minutes < 1) return _("just now");
  if (minutes < 60) return _("%(n)s min ago", { n: minutes });
  if (minutes < 48 * 60 && minutes % 60 === 0) return _("%(h)s h ago", { h: minutes / 60 });
  if (minutes < 48 * 60) return _("%(h)s h %(m)s min ago", { h: Math.floor(minutes / 60), m: minutes % 60 });
  return _("%(n)s days ago", { n: Math.floor(minutes / 1440) });
}

function show() {
  const at = now();
  for (const element of document.querySelectorAll("[data-clock]")) {
    const text = element.dataset.clock === "date" ? formatLongDate(at) : element.dataset.clock === "seconds" ? formatSeconds(at) : formatTime(at);
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll("[data-ago]")) {
    const text = ago(element.dataset.ago);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Start showing and keeping the time. Called once by the shell. */
export function startClock({ every = 30000 } = {}) {
  const quietly = () => resync().catch(() => undefined);
  show();
  setInterval(show, 500);
  setInterval(() => document.visibilityState === "visible" && quietly(), every);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && quietly());
  return quietly();
}
