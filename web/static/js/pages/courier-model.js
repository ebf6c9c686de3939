/**
 * The courier's day as rules without a page: what the server told, with what this phone did since on top, and
 * expected times. Instants are ISO texts or milliseconds, durations seconds.
 */

const ms = (at) => (at ? Date.parse(at) : NaN);

/** The day with acts on top: [{act, waiting, told}] in the order they were done; told: its boxes are in the day already. */
export function assemble(today, acts, order = null) {
  const day = {
    ...today,
    stops: today.stops.map((stop) => ({ ...stop })),
    loads: today.consignments.map((load) => ({ ...load, tubes: load.tubes.slice() })),
    delivered: [],
    handovers: today.handovers.slice(),
    places: {}, // what happened at a site that is no stop of the plan
  };
  for (const entry of acts) apply(day, entry);
  day.route = inOrder(day.stops.filter((stop) => stop.kind !== "start"), order);
  return day;
}

function apply(day, { act, waiting, told }) {
  const stop = day.stops.find((one) => one.id === (act.subject || {}).stop);
  const at = new Date(act.occurred_at).toISOString();
  if (act.type === "arrive") {
    if (stop && stop.state === "planned") Object.assign(stop, { state: "arrived", actual_arrive_at: at, waiting });
    if (!stop) day.places[act.site] = { state: "arrived", at, waiting };
    for (const load of told ? [] : day.loads) {
      if (load.holder === day.username && load.destination === act.site && load.state === "in_transit") Object.assign(load, { state: "arrived", location: act.site });
    }
  } else if (act.type === "depart") {
    if (stop) Object.assign(stop, { state: "done", actual_depart_at: at, actual_arrive_at: stop.actual_arrive_at || at, waiting });
    if (!stop) day.places[act.site] = { state: "done", at, waiting };
  } else if (act.type === "hand_over") {
    handOver(day, act, waiting, at);
  } else if (act.type === "sign_handover") {
    for (const load of day.loads) if ((act.subject.consignments || []).includes(load.number)) load.signed = { at, waiting };
  }
}

/** An act may be in the day already (its answer was lost): what it did once is not done twice. */
function handOver(day, act, waiting, at) {
  const { consignment, box } = act.subject;
  const { meaning } = act.payload;
  const giving = meaning === "delivery" || meaning === "elsewhere" || (meaning === "transfer" && day.loads.some((one) => one.holder === day.username && [consignment, box].includes(consignment ? one.number : one.box)));
  const refused = new Set((act.payload.refused || []).map((one) => one.specimen));
  let load = day.loads.find((one) => (consignment ? one.number === consignment : one.box === box));
  const told = day.handovers.find((one) => one.site === act.site && one.meaning === act.payload.meaning && [consignment, load && load.number].includes(one.consignment));
  if (told) return;
  if (!load) {
    if (giving) return;
    load = { number: consignment || null, box: box || null, unknown: true, temp_class: null, origin: act.site, destination: null, state: "sealed", holder: null, priority: "routine", tubes: [], count: act.payload.count };
    day.loads.push(load);
  }
  day.handovers.push({ site: act.site, consignment: load.number || load.box, meaning: act.payload.meaning, tubes: act.payload.count, refused: refused.size, at, waiting });
  load.waiting = waiting;
  if (giving) {
    day.loads.splice(day.loads.indexOf(load), 1);
    day.delivered.push({ ...load, site: act.site });
  } else if (load.holder !== day.username) {
    Object.assign(load, { holder: day.username, state: "in_transit", location: null, departed_at: at, tubes: load.tubes.filter((tube) => !refused.has(tube.accession)), ...(act.payload.seal_now ? { seal_check: null } : {}) });
  }
}

/** Stops in the courier's own order where he has one: done and arrived ones stay where they were. */
export function inOrder(stops, order) {
  if (!order) return stops;
  const left = stops.filter((stop) => stop.state === "planned");
  const rank = (stop) => { const at = order.indexOf(stop.id); return at < 0 ? order.length + stops.indexOf(stop) : at; };
  return [...stops.filter((stop) => stop.state !== "planned"), ...left.sort((a, b) => rank(a) - rank(b))];
}

export const carried = (day) => day.loads.filter((load) => load.holder === day.username);
export const tubeCount = (load) => (load.unknown ? load.count || 0 : load.tubes.length);

export const standsAt = (load) => load.location || load.origin;
const HANDED_IN = new Set(["transfer", "elsewhere"]);

/** Sealed boxes that stand at a site. */
export const takeable = (day, site) => day.loads.filter((load) => (load.state === "sealed" || load.state === "waiting") && !load.holder && standsAt(load) === site);

/** Boxes to take and boxes to give at a site. What he has handed in here himself is for the next courier. */
export function expected(day, site) {
  const mine = (load) => day.handovers.some((one) => one.consignment === load.number && one.site === site && HANDED_IN.has(one.meaning));
  return {
    take: takeable(day, site).filter((load) => load.state === "sealed" || !mine(load)),
    give: day.loads.filter((load) => load.holder === day.username && (load.destination === site || (load.via || []).includes(site))),
  };
}

/** What handing over this load here means: delivery, transfer (sealed, on its way) or elsewhere (deliberately). */
export function meaningOf(day, load, site, scan) {
  if (load.holder !== day.username) return "pickup";
  if (load.destination === site) return "delivery";
  return scan && scan.elsewhere ? "elsewhere" : "transfer";
}

/** The tube that expires first: {accession, at} or null. */
export function mostUrgent(load) {
  const dated = load.tubes.filter((tube) => tube.use_by_at).sort((a, b) => ms(a.use_by_at) - ms(b.use_by_at));
  return dated.length ? { accession: dated[0].accession, at: dated[0].use_by_at } : null;
}

/** Sites with something to do that are no stop of what is left of the plan. */
export function extraSites(day) {
  const planned = new Set(day.route.filter((stop) => stop.state !== "done" && stop.state !== "skipped").map((stop) => stop.site));
  const found = new Set(day.loads.map((load) => (load.holder === day.username ? load.destination : standsAt(load))).filter((site) => site && !planned.has(site)));
  for (const [site, place] of Object.entries(day.places)) if (place.state === "arrived" && !planned.has(site)) found.add(site);
  return Array.from(found).filter((site) => day.sites[site]).sort((a, b) => rankExtra(day, a) - rankExtra(day, b) || a.localeCompare(b));
}

const rankExtra = (day, site) => ((day.places[site] || {}).state === "arrived" ? 0 : expected(day, site).give.length ? 1 : 2);

/** A stop made up for a site that is not on the plan. */
export function extraStop(day, site) {
  const place = day.places[site] || {};
  return { id: null, key: `site-${site}`, site, kind: "extra", state: place.state === "arrived" ? "arrived" : "planned", actual_arrive_at: place.at, waiting: place.waiting, calls: [], arrive_at: null, window_from_at: null, window_to_at: null };
}

export const keyOf = (stop) => (stop.id === null ? stop.key : `stop-${stop.id}`);

export function findStop(day, key) {
  if (key.startsWith("site-")) return day.sites[key.slice(5)] ? extraStop(day, key.slice(5)) : null;
  return day.route.find((stop) => `stop-${stop.id}` === key) || null;
}

/** {stop id → expected arrival in ms} for what is left, driven in the order of `left` from `nowMs` on. */
export function etas(day, left, nowMs) {
  const here = day.route.find((stop) => stop.state === "arrived");
  const done = day.route.filter((stop) => stop.state === "done" && stop.actual_depart_at).sort((a, b) => ms(b.actual_depart_at) - ms(a.actual_depart_at));
  const start = day.stops.find((stop) => stop.kind === "start");
  let site = null;
  let at = nowMs;
  const service = (code) => ((day.sites[code] || {}).service_s || 300) * 1000;
  if (here) { site = here.site; at = Math.max(nowMs, ms(here.actual_arrive_at) + service(here.site)); }
  else if (done.length) { site = done[0].site; at = ms(done[0].actual_depart_at); }
  else if (start) { site = start.site; at = Math.max(nowMs, ms(start.depart_at)); }
  const found = {};
  left.forEach((stop, index) => {
    const drive = site ? ((day.travel_s[site] || {})[stop.site] || 0) * 1000 : 0;
    const arrive = Math.max(at + drive, index === 0 ? nowMs : 0, site ? 0 : ms(stop.arrive_at) || 0);
    found[stop.id] = arrive;
    at = Math.max(arrive, ms(stop.window_from_at) || 0) + service(stop.site);
    site = stop.site;
  });
  return found;
}

/** What an order of the stops left would cost: [{what: "expires", accession, load, use_by, eta} | {what: "stranded", load}]. */
export function losses(day, left, nowMs) {
  const expectedAt = etas(day, left, nowMs);
  const found = [];
  for (const load of day.loads) {
    const from = load.holder === day.username ? 0 : left.findIndex((stop) => stop.site === standsAt(load)) + 1;
    if (load.holder !== day.username && from === 0) continue;
    const stop = left.slice(from).find((one) => one.site === load.destination);
    if (!stop) {
      if (left.some((one) => one.site === load.destination)) found.push({ what: "stranded", load });
      continue;
    }
    for (const tube of load.tubes) {
      if (tube.use_by_at && ms(tube.use_by_at) < expectedAt[stop.id]) found.push({ what: "expires", accession: tube.accession, load, use_by: tube.use_by_at, eta: expectedAt[stop.id] });
    }
  }
  return found;
}

/** {tone, minutes}: late (after the window), behind (more than ten minutes after the plan), fine. */
export function lateness(stop, etaMs) {
  const end = ms(stop.window_to_at);
  if (Number.isFinite(end) && etaMs > end + 60000) return { tone: "danger", minutes: Math.ceil((etaMs - end) / 60000) };
  const plan = ms(stop.arrive_at);
  if (Number.isFinite(plan) && etaMs > plan + 600000) return { tone: "warn", minutes: Math.round((etaMs - plan) / 60000) };
  return { tone: "ok", minutes: 0 };
}
