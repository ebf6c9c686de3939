/**
 * Doing something that is recorded: submit("pack", {subject: {specimen, box}, how: "scanned"}) keeps the act on this
 * device, sends it, and gives the server's answer, or {status: "waiting"} when none came in time (it is not lost).
 *
 * answer: {id, status: done | duplicate | refused | review | waiting, code, sentence, field, result}.
 */
import { now, stamp } from "./clock.js";
import { add, outbox } from "./outbox.js";
import { uuid } from "./uuid.js";
import { _ } from "./i18n.js";

const PLACE_MS = 4000;
const PLACE_AGE_MS = 120000;

/** An act as POST /api/v1/acts takes it. `id` may be given when two parties share one (handover). */
export function createAct(type, { id = uuid(), subject = {}, how = "typed", site = null, position = null, payload = {}, occurredAt = null } = {}) {
  return { id, type, occurred_at: stamp(occurredAt || now()), how, subject, site, position, payload };
}

/** Keep and send. options as createAct, and wait: how long an answer is waited for, in ms (0: not at all). */
export async function submit(type, { wait = 6000, ...options } = {}) {
  const act = createAct(type, options);
  const answered = wait ? answerFor(act.id, wait) : null;
  await add(act, { place: options.site || null });
  const waitingAnswer = { id: act.id, status: "waiting", code: "waiting", sentence: _("Kept on this device; it will be sent."), field: null, result: {} };
  return (answered && (await answered)) || waitingAnswer;
}

/** The answer to one act, or null after `timeout` ms. Whoever waits for it tells it: the strip then keeps quiet. */
export function answerFor(id, timeout = 6000) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(null), timeout);
    const listener = ({ detail }) => detail.row.uuid === id && finish(Object.assign(detail.answer, { quiet: true }));
    const finish = (answer) => {
      clearTimeout(timer);
      outbox.removeEventListener("answer", listener);
      resolve(answer);
    };
    outbox.addEventListener("answer", listener);
  });
}

/** {lat, lon, accuracy_m} or null; never holds anybody up for more than four seconds. */
export function whereAmI() {
  if (!navigator.geolocation) return Promise.resolve(null);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), PLACE_MS);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => { clearTimeout(timer); resolve({ lat: coords.latitude, lon: coords.longitude, accuracy_m: Math.round(coords.accuracy) }); },
      () => { clearTimeout(timer); resolve(null); },
      { enableHighAccuracy: false, timeout: PLACE_MS, maximumAge: PLACE_AGE_MS },
    );
  });
}

/** How an answer looks and sounds: {tone, icon, sound}. */
export function faceOf(status) {
  return {
    done: { tone: "ok", icon: "check-circle", sound: "ok" },
    duplicate: { tone: "warn", icon: "check", sound: "already" },
    waiting: { tone: "info", icon: "hourglass", sound: "ok" },
    review: { tone: "hold", icon: "swap", sound: "wrong" },
    refused: { tone: "danger", icon: "cross-circle", sound: "wrong" },
  }[status] || { tone: "neutral", icon: "question", sound: "wrong" };
}
