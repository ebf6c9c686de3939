/**
 * On duty: positions are watched, thinned to one in thirty seconds or two hundred metres, kept on the phone and sent
 * in batches. Off duty nothing is watched. Switch, positions and the order of stops are told in the order they happened.
 */
import { api } from "../api.js";
import { now, stamp } from "../clock.js";
import { addFix, dropFixes, fixes, forget, keep, kept } from "./courier-store.js";

const EVERY_S = 30;
const EVERY_M = 200;
const BATCH = 200;
const TICK_MS = 20000;

/** Metres between two places, near enough for thinning. */
export function metres(a, b) {
  const toRad = Math.PI / 180;
  const x = (b.lon - a.lon) * toRad * Math.cos(((a.lat + b.lat) / 2) * toRad);
  const y = (b.lat - a.lat) * toRad;
  return Math.hypot(x, y) * 6371000;
}

/** True when a position adds to what is known: enough time or enough road since the last. */
export const worthKeeping = (last, fix) => !last || Date.parse(fix.at) - Date.parse(last.at) >= EVERY_S * 1000 || metres(last, fix) >= EVERY_M;

export class Duty extends EventTarget {
  constructor() {
    super();
    this.on = false;
    this.since = null;
    this.last = null;
    this.trouble = null; // denied | unsupported | null
    this.watch = null;
    this.sending = null;
  }

  async start(today) {
    const pending = await kept("duty");
    this._set(pending ? (pending.on ? pending.at : null) : today && today.on_duty_since);
    setInterval(() => this.flush(), TICK_MS);
    window.addEventListener("online", () => this.flush());
    this.flush();
  }

  /** The server's word, unless the switch was turned here and that is not told yet. */
  async learn(since) {
    if (!(await kept("duty"))) this._set(since);
  }

  async turn(on) {
    const at = stamp();
    await keep("duty", { on, at });
    this._set(on ? at : null);
    return this.flush();
  }

  _set(since) {
    this.since = since || null;
    this.on = Boolean(since);
    if (this.on && this.watch === null) this._watch();
    if (!this.on && this.watch !== null) {
      navigator.geolocation.clearWatch(this.watch);
      this.watch = null;
    }
    this.dispatchEvent(new Event("changed"));
  }

  _watch() {
    if (!navigator.geolocation) {
      this.trouble = "unsupported";
      return;
    }
    this.watch = navigator.geolocation.watchPosition((found) => this._take(found), (error) => {
      this.trouble = error.code === 1 ? "denied" : null;
      this.dispatchEvent(new Event("changed"));
    }, { enableHighAccuracy: true, maximumAge: 15000 });
  }

  async _take({ coords }) {
    if (!this.on) return;
    const fix = { at: stamp(now()), lat: coords.latitude, lon: coords.longitude, accuracy_m: Math.round(coords.accuracy) };
    if (this.trouble) {
      this.trouble = null;
      this.dispatchEvent(new Event("changed"));
    }
    if (!worthKeeping(this.last, fix)) return;
    const first = this.last === null;
    this.last = fix;
    await addFix(fix);
    if (first) this.flush();
  }

  /** Where he is, if that is known and not older than two minutes: for an act. */
  place() {
    if (!this.last || now() - Date.parse(this.last.at) > 120000) return null;
    const { lat, lon, accuracy_m: accuracy } = this.last;
    return { lat, lon, accuracy_m: accuracy };
  }

  flush() {
    this.again = Boolean(this.sending); // what was put down after a round began needs another
    if (!this.sending) this.sending = this._send().catch(() => undefined).finally(() => { this.sending = null; if (this.again) this.flush(); });
    return this.sending;
  }

  async _send() {
    const pending = await kept("duty");
    if (pending && pending.on) await this._tell(pending);
    for (;;) {
      const rows = await fixes(BATCH);
      if (!rows.length) break;
      try {
        await api("/api/v1/positions", { body: { positions: rows.map((row) => row.fix) } });
      } catch (error) {
        if (error.temporary || error.status === 401 || error.status === 403) throw error;
      }
      await dropFixes(rows); // stored, or refused for good: off duty by the server's record
    }
    if (pending && !pending.on) await this._tell(pending);
    await this._order();
  }

  async _tell(pending) {
    await api("/api/v1/courier/duty", { body: pending });
    const still = await kept("duty");
    if (still && still.at === pending.at) await forget("duty");
  }

  /** The order of stops that the courier chose: "told_at" is null until dispatch has it. */
  async _order() {
    const order = await kept("order");
    if (!order || order.told_at || order.refused) return;
    try {
      await api("/api/v1/courier/order", { body: { stops: order.stops } });
      await keep("order", { ...order, told_at: stamp() });
    } catch (error) {
      if (error.temporary || error.status === 401 || error.status === 403) throw error;
      await keep("order", { ...order, refused: error.sentence });
    }
    this.dispatchEvent(new Event("order"));
  }
}
