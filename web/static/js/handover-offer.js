/**
 * The offer that a giver shows and the taker scans: LRH1/<32 hex>/<P|T|D>/<yymmddhhmm UTC>/<number>.<count>/…
 * Letters, digits, stroke and point alone, so that handheld scanners can type it. It names no person and signs nothing:
 * custody passes by the taker's half, and the giver's own half is his signature.
 *
 * Ids are drawn by the server for this user ahead of time: whoever sends one has stood before this screen.
 */
import { api } from "./api.js";
import { now } from "./clock.js";
import { meta } from "./dom.js";

const MARK = "LRH1";
const LETTERS = { pickup: "P", transfer: "T", delivery: "D" };
const MEANINGS = { P: "pickup", T: "transfer", D: "delivery" };
const KEEP = 6;
const DRAW = 10;
const LARGEST_PX = 320;
const STORE = `labrelay.offers.${meta("user")}`;

/** {id, meaning, at: Date, loads: [{number, count}]} as the text of the code. */
export function offerText({ id, meaning, at, loads }) {
  const stamp = at.toISOString().replace(/\D/g, "").slice(2, 12);
  return [MARK, id.replace(/-/g, "").toUpperCase(), LETTERS[meaning], stamp, ...loads.map(({ number, count }) => `${number}.${count}`)].join("/");
}

/** The same back from a scan, or null when it is none. */
export function readOffer(text) {
  const [mark, id, letter, stamp, ...parts] = String(text).trim().toUpperCase().split("/");
  if (mark !== MARK || !/^[0-9A-F]{32}$/.test(id || "") || !MEANINGS[letter] || !/^\d{10}$/.test(stamp || "") || !parts.length) return null;
  const loads = parts.map((part) => /^([0-9A-Z-]{3,40})\.(\d{1,4})$/.exec(part)).map((found) => found && { number: found[1], count: Number(found[2]) });
  if (loads.some((load) => !load)) return null;
  const [year, month, day, hour, minute] = stamp.match(/\d\d/g).map(Number);
  return {
    id: [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join("-").toLowerCase(),
    meaning: MEANINGS[letter], at: new Date(Date.UTC(2000 + year, month - 1, day, hour, minute)), loads,
  };
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(STORE) || "[]");
  } catch {
    return [];
  }
}

const drawing = () => import("../vendor/lean-qr/lean-qr.js");

/** Have some ids, and what draws them, at hand before the signal is gone. Quiet when there is no contact. */
export async function stockUp() {
  drawing().catch(() => undefined);
  if (kept().length >= KEEP) return;
  try {
    const { offers } = await api("/api/v1/handover-offers", { body: { count: DRAW } });
    localStorage.setItem(STORE, JSON.stringify([...kept(), ...offers]));
  } catch {
    // without contact what is kept must do
  }
}

/** One id that was never shown before, or null when none is left on this device. */
export function takeId() {
  const [first = null, ...rest] = kept();
  localStorage.setItem(STORE, JSON.stringify(rest));
  return first;
}

/** The code on a canvas, black on white in every colour scheme. */
export async function draw(canvas, text) {
  const { generate } = await drawing();
  generate(text).toCanvas(canvas, { on: [0, 0, 0], off: [255, 255, 255, 255], pad: 4 });
  // Every module the same number of pixels: readers take uneven ones for another code or for none.
  canvas.style.width = `${canvas.width * Math.max(1, Math.floor(LARGEST_PX / canvas.width))}px`;
  canvas.dataset.text = text;
}

/** A fresh offer of these loads: {id, text, at} or null. */
export function makeOffer(meaning, loads) {
  const id = takeId();
  return id ? { id, ...describe(id, meaning, loads) } : null;
}

/** The text again after a count was put right; the id stays. */
export function describe(id, meaning, loads) {
  const at = now();
  return { at, text: offerText({ id, meaning, at, loads }) };
}
