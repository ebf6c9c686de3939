/**
 * The code that a giver shows and the taker scans: LRH1/<32 hex>/<P|T|D>/<yymmddhhmm UTC>/<number>.<count>/…/<tag>
 * Letters, digits, stroke, hyphen and point alone, so that handheld scanners can type it. It names no person and signs
 * nothing: custody passes by the taker's half, and the giver's own half is his signature.
 *
 * Ids and keys are drawn by the server for this user ahead of time: whoever sends a code has stood before this screen,
 * and its tag (docs/formats/acts.md) says that it was shown for these consignments at this time.
 */
import { api } from "./api.js";
import { now } from "./clock.js";
import { meta } from "./dom.js";
import { hmac } from "./hmac.js";

const MARK = "LRH1";
const LETTERS = { pickup: "P", transfer: "T", delivery: "D" };
const MEANINGS = { P: "pickup", T: "transfer", D: "delivery" };
const KEEP = 6;
const DRAW = 10;
const LARGEST_PX = 320;
const TAG = 16;
const GOOD_FOR_MS = 30 * 60000;
/** The giver's screen draws its code anew so often. */
export const RENEW_MS = 60000;
const STORE = `labrelay.offers.${meta("user")}`;

/** {id, key, meaning, at: Date, loads: [{number, count}]} as the text of the code. */
export function offerText({ id, key, meaning, at, loads }) {
  const stamp = at.toISOString().replace(/\D/g, "").slice(2, 12);
  const text = [MARK, id.replace(/-/g, "").toUpperCase(), LETTERS[meaning], stamp, ...loads.map(({ number, count }) => `${number}.${count}`)].join("/");
  return `${text}/${hmac(key, text).slice(0, TAG).toUpperCase()}`;
}

/** What a scanned text says, with the text itself, or null when it is none. */
export function readOffer(scanned) {
  const text = String(scanned).trim().toUpperCase();
  const [mark, id, letter, stamp, ...parts] = text.split("/");
  const tag = parts.pop();
  if (mark !== MARK || !/^[0-9A-F]{32}$/.test(id || "") || !MEANINGS[letter] || !/^\d{10}$/.test(stamp || "") || !parts.length || !/^[0-9A-F]{16}$/.test(tag)) return null;
  const loads = parts.map((part) => /^([0-9A-Z-]{3,40})\.(\d{1,4})$/.exec(part)).map((found) => found && { number: found[1], count: Number(found[2]) });
  if (loads.some((load) => !load)) return null;
  const [year, month, day, hour, minute] = stamp.match(/\d\d/g).map(Number);
  return {
    id: [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join("-").toLowerCase(),
    meaning: MEANINGS[letter], at: new Date(Date.UTC(2000 + year, month - 1, day, hour, minute)), loads, text,
  };
}

/** Whether a code that was shown then is too old to sign by. */
export const expired = (offer) => now() - new Date(offer.at) > GOOD_FOR_MS;

function kept() {
  try {
    return JSON.parse(localStorage.getItem(STORE) || "[]").filter((one) => one.id && one.key);
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

/** One id with its key, never shown before, or null when none is left on this device. */
export function takeOffer() {
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

/** The text of its code as of now; the id stays when a count was put right or time has gone by. */
export const describe = ({ id, key }, meaning, loads) => offerText({ id, key, meaning, at: now(), loads });
