/**
 * What the courier's phone keeps besides the outbox: the day as the server last told it, scans at each stop, acts that
 * were answered, positions and reports not sent yet. Everything belongs to one user: phones are shared.
 */
import { openDB } from "../../vendor/idb/index.js";
import { meta } from "../dom.js";

const me = meta("user");
const KEEP_DAYS_MS = 3 * 86400000;
let opened = null;

function database() {
  if (!opened) {
    opened = openDB("labrelay-courier", 1, {
      upgrade(db) {
        db.createObjectStore("kept"); // key "user:name"
        db.createObjectStore("visits", { keyPath: "key" });
        db.createObjectStore("settled", { keyPath: "id" });
        db.createObjectStore("fixes", { autoIncrement: true });
      },
      terminated() { opened = null; },
    });
  }
  return opened;
}

const own = (name) => `${me}:${name}`;

export const keep = async (name, value) => (await database()).put("kept", value, own(name));
export const kept = async (name) => (await database()).get("kept", own(name));
export const forget = async (name) => (await database()).delete("kept", own(name));

/** Scans and marks at one stop. */
export const saveVisit = async (visit) => (await database()).put("visits", { ...visit, user: me, key: own(visit.key), name: visit.key });

export async function visits() {
  const rows = await (await database()).getAll("visits");
  return new Map(rows.filter((row) => row.user === me).map((row) => [row.name, { ...row, key: row.name }]));
}

/** An act that the server answered, without anything secret: shown on top of an older day, or sent again. */
export async function saveSettled(act, answer) {
  const { pin, seal_tail: tail, ...payload } = act.payload || {};
  await (await database()).put("settled", { id: act.id, user: me, at: Date.now(), act: { ...act, payload }, answer });
}

export async function settled() {
  return (await (await database()).getAll("settled")).filter((row) => row.user === me);
}

export const dropSettled = async (id) => (await database()).delete("settled", id);

export async function addFix(fix) {
  await (await database()).add("fixes", { user: me, fix });
}

/** The oldest positions: [{key, fix}]. */
export async function fixes(limit) {
  const db = await database();
  const found = [];
  for (let cursor = await db.transaction("fixes").store.openCursor(); cursor && found.length < limit; cursor = await cursor.continue()) {
    if (cursor.value.user === me) found.push({ key: cursor.key, fix: cursor.value.fix });
  }
  return found;
}

export async function dropFixes(rows) {
  const tx = (await database()).transaction("fixes", "readwrite");
  for (const { key } of rows) tx.store.delete(key);
  await tx.done;
}

/** Yesterday's scans and answers are in the log by now. */
export async function tidy() {
  const db = await database();
  const limit = Date.now() - KEEP_DAYS_MS;
  for (const row of await db.getAll("settled")) if (row.at < limit) await db.delete("settled", row.id);
  for (const row of await db.getAll("visits")) if ((row.touched || 0) < limit) await db.delete("visits", row.key);
}
