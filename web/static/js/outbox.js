/**
 * What was done on this device and not yet confirmed by the server. Rows live in IndexedDB and leave it only when
 * the server has answered for their own id; a bare 200 counts for nothing, and `navigator.onLine` is not asked.
 *
 * Events on `outbox`: "changed" (detail: state()), "answer" (detail: {row, answer}), "refused" (detail the same).
 */
import { openDB } from "../vendor/idb/index.js";
import { api, contact } from "./api.js";
import { meta } from "./dom.js";
import { uuid } from "./uuid.js";

const NAME = "labrelay";
const BATCH = 25;
const LEASE_MS = 20000;
const RETRY_MS = [2000, 4000, 8000, 15000, 30000, 60000];
const TICK_MS = 20000;
const KEPT_ANSWERS = 200;
const LEASE_KEY = "labrelay.flusher";

class Outbox extends EventTarget {}

export const outbox = new Outbox();
const me = meta("user");
const status = { waiting: 0, refused: 0, sending: false, problem: null };
let opened = null;
let failures = 0;
let retryTimer = null;

function database() {
  if (!opened) {
    opened = openDB(NAME, 1, {
      upgrade(db) {
        const acts = db.createObjectStore("acts", { keyPath: "uuid" });
        acts.createIndex("seq", "seq");
        db.createObjectStore("answers", { keyPath: "uuid" }).createIndex("at", "at");
        db.createObjectStore("meta");
      },
      terminated() {
        opened = null;
      },
    });
  }
  return opened;
}

/** {waiting, refused, sending, problem}: problem is null, "no_contact", "not_ours", "login_required" or "server". */
export const state = () => ({ ...status });

/** This device's own name, made once. */
export async function deviceId() {
  const db = await database();
  const known = await db.get("meta", "device");
  if (known) return known;
  const made = `web-${uuid().slice(0, 8)}`;
  await db.put("meta", made, "device");
  return made;
}

async function mine() {
  const db = await database();
  return (await db.getAllFromIndex("acts", "seq")).filter((row) => row.user === me);
}

/** Rows that wait, oldest first. */
export const waiting = () => mine();

/** Refused or kept for review, newest first, until dismissed. */
export async function refusals() {
  const db = await database();
  const rows = await db.getAllFromIndex("answers", "at");
  return rows.filter((row) => row.user === me && row.open).reverse();
}

export async function dismiss(id) {
  const db = await database();
  const row = await db.get("answers", id);
  if (row) await db.put("answers", { ...row, open: false });
  await recount();
}

async function recount(changes = {}) {
  const rows = await mine();
  Object.assign(status, changes, { waiting: rows.length, refused: (await refusals()).length });
  outbox.dispatchEvent(new CustomEvent("changed", { detail: state() }));
}

/**
 * Keep an act. Resolves when it is safely on this device. The sequence number is drawn in the same transaction,
 * so that two tabs never share one.
 */
export async function add(act, { place = null } = {}) {
  const device = act.device || (await deviceId());
  const db = await database();
  const tx = db.transaction(["acts", "meta"], "readwrite", { durability: "strict" });
  const seq = ((await tx.objectStore("meta").get("seq")) || 0) + 1;
  await tx.objectStore("meta").put(seq, "seq");
  const row = {
    uuid: act.id, seq, user: me, type: act.type, code: Object.values(act.subject || {})[0] || "",
    device_time: new Date().toISOString(), place, tries: 0, act: { ...act, device, seq },
  };
  await tx.objectStore("acts").add(row);
  await tx.done;
  await recount();
  nudge();
  return row;
}

/** One flusher on this device, whatever the number of tabs. */
function alone(work) {
  if (navigator.locks) return navigator.locks.request("labrelay-outbox", { ifAvailable: true }, (lock) => (lock ? work() : false));
  return leased(work);
}

async function leased(work) {
  const owner = uuid();
  const read = () => JSON.parse(localStorage.getItem(LEASE_KEY) || "null");
  const write = () => localStorage.setItem(LEASE_KEY, JSON.stringify({ owner, until: Date.now() + LEASE_MS }));
  const held = read();
  if (held && held.until > Date.now()) return false;
  write();
  await new Promise((done) => setTimeout(done, 60));
  if ((read() || {}).owner !== owner) return false;
  const renewal = setInterval(write, LEASE_MS / 4);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    if ((read() || {}).owner === owner) localStorage.removeItem(LEASE_KEY);
  }
}

/** Send what waits. True when nothing is left. Safe to call at any time and from any tab. */
export async function flush() {
  if (!me) return true;
  const result = await alone(drain);
  await recount({ sending: false });
  return result !== false && status.waiting === 0;
}

async function drain() {
  let size = BATCH;
  for (;;) {
    const rows = (await mine()).filter((row) => !row.stuck).slice(0, size);
    if (!rows.length) {
      failures = 0;
      return true;
    }
    await recount({ sending: true });
    let body;
    try {
      body = await api("/api/v1/acts", { body: { acts: rows.map(toSend) }, timeout: 20000 });
    } catch (error) {
      if (!error.temporary && rows.length > 1 && ![401, 403].includes(error.status)) {
        size = 1; // one of them spoils the batch: find out which
        continue;
      }
      await failed(rows, error);
      if (error.temporary || [401, 403].includes(error.status)) return false;
      continue;
    }
    const settled = await acknowledge(rows, (body && body.answers) || []);
    status.problem = null;
    if (!settled) {
      again();
      return false;
    }
  }
}

/** An act that was tried before is nobody's business any more to answer at once: the server may keep it for review. */
const toSend = (row) => ({ ...row.act, offline: row.tries > 0 || Boolean(row.act.offline) });

async function failed(rows, error) {
  const db = await database();
  const tx = db.transaction("acts", "readwrite");
  const stuck = !error.temporary && ![401, 403].includes(error.status);
  for (const row of rows) {
    tx.store.put({ ...row, tries: row.tries + 1, stuck: stuck ? error.sentence : undefined });
  }
  await tx.done;
  const problem = error.status === 401 || error.status === 403 ? "login_required" : error.status >= 500 || error.status === 429 ? "server" : error.code;
  await recount({ problem, sending: false });
  if (error.temporary) again();
}

/** Delete exactly the rows that were answered for. Gives how many that were. */
async function acknowledge(rows, answers) {
  const byId = new Map(rows.map((row) => [row.uuid, row]));
  const db = await database();
  const settled = [];
  const tx = db.transaction(["acts", "answers"], "readwrite", { durability: "strict" });
  for (const answer of answers) {
    const row = byId.get(answer.id);
    if (!row || !["done", "duplicate", "refused", "review"].includes(answer.status)) continue;
    const bad = answer.status === "refused" || answer.status === "review";
    tx.objectStore("answers").put({ uuid: row.uuid, at: Date.now(), user: row.user, type: row.type, code: row.code, open: bad, answer });
    tx.objectStore("acts").delete(row.uuid);
    settled.push({ row, answer, bad });
  }
  await tx.done;
  await trim(db);
  await recount();
  for (const detail of settled) {
    outbox.dispatchEvent(new CustomEvent("answer", { detail }));
    if (detail.bad) outbox.dispatchEvent(new CustomEvent("refused", { detail }));
  }
  return settled.length;
}

async function trim(db) {
  const surplus = (await db.count("answers")) - KEPT_ANSWERS;
  if (surplus <= 0) return;
  const tx = db.transaction("answers", "readwrite");
  let cursor = await tx.store.index("at").openCursor();
  for (let left = surplus; cursor && left > 0; cursor = await cursor.continue()) {
    if (!cursor.value.open) {
      cursor.delete();
      left -= 1;
    }
  }
  await tx.done;
}

function again() {
  clearTimeout(retryTimer);
  retryTimer = setTimeout(nudge, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
  failures += 1;
}

/** Try soon, without waiting for the result. */
export function nudge() {
  flush().catch((error) => console.error("outbox", error));
}

/** Try again what one answer called malformed (the button "Send now"). */
export async function retryStuck() {
  const db = await database();
  const tx = db.transaction("acts", "readwrite");
  for (const row of await tx.store.getAll()) if (row.stuck && row.user === me) tx.store.put({ ...row, stuck: undefined });
  await tx.done;
  failures = 0;
  return flush();
}

/** Start sending whenever there is a chance to. Called once by the shell. */
export async function startOutbox() {
  await recount();
  nudge();
  setInterval(nudge, TICK_MS);
  window.addEventListener("online", nudge);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && nudge());
  contact.addEventListener("heard", () => {
    if (status.waiting && !status.sending && status.problem) nudge();
    if (!status.waiting) status.problem = null;
  });
}
