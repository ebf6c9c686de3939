/** What a scanned label means at a stop, what differs at the end of it, and whether a seal was read right. */
import { normalise } from "../numbers.js";
import { expected, takeable } from "./courier-model.js";

/** Four bits of the last four characters of a seal; the same sum as logistics/domain/seals.py. */
export function tailCheck(seal) {
  let value = 0x811c9dc5;
  for (const character of String(seal).slice(-4).toUpperCase()) {
    value = Math.imul(value ^ character.charCodeAt(0), 0x01000193) >>> 0;
  }
  return value & 0xf;
}

/**
 * What a label means here. visit.boxes: {box: {tubes: {accession: how}, …}} scanned so far. Answers {what, load, code}:
 * box · box_again · tube · tube_again · box_first · box_elsewhere · box_aboard · box_given · tube_elsewhere ·
 * box_unknown · tube_unknown
 */
export function meaning(day, site, visit, text, kind) {
  const code = normalise(text);
  const same = (known) => Boolean(known) && normalise(known) === code;
  const { give } = expected(day, site);
  const here = [...give, ...away(day, give, visit), ...takeable(day, site)];
  const isBox = (load) => same(load.box) || same(load.number);
  const load = here.find(isBox);
  if (load) return { what: visit.boxes[load.box] ? "box_again" : "box", load, code };
  if (visit.boxes[code]) return { what: "box_again", load: { box: code, unknown: true, tubes: [] }, code };
  const elsewhere = day.loads.find(isBox);
  if (elsewhere) return { what: elsewhere.holder === day.username ? "box_aboard" : "box_elsewhere", load: elsewhere, code };
  const given = day.delivered.find(isBox);
  if (given) return { what: "box_given", load: given, code };
  const tubeIn = (list) => {
    for (const one of list) {
      const tube = one.tubes.find((each) => same(each.accession));
      if (tube) return { load: one, code: tube.accession };
    }
    return null;
  };
  const opened = tubeIn(here.filter((one) => visit.boxes[one.box]));
  if (opened) return { what: visit.boxes[opened.load.box].tubes[opened.code] ? "tube_again" : "tube", ...opened };
  const closed = tubeIn(here);
  if (closed) return { what: "box_first", ...closed };
  const other = tubeIn(day.loads);
  if (other) return { what: "tube_elsewhere", ...other };
  return { what: kind === "box" || kind === "consignment" ? "box_unknown" : "tube_unknown", load: null, code };
}

/** Boxes for another place that he hands in here all the same, with a reason. */
const away = (day, give, visit) => day.loads.filter((load) => load.holder === day.username && (visit.boxes[load.box] || {}).elsewhere && !give.includes(load));

/** Differences at the end of a visit, per scanned box: [{load, verified, unverified: [accession], refused: {…}}]. */
export function differences(day, site, visit) {
  const { take, give } = expected(day, site);
  const here = [...give, ...take];
  const taken = [...give, ...away(day, give, visit), ...takeable(day, site)].filter((load) => visit.boxes[load.box]);
  const unknown = Object.keys(visit.boxes).filter((box) => visit.boxes[box].unknown && !here.some((load) => load.box === box))
    .map((box) => ({ box, number: null, unknown: true, tubes: [], temp_class: null, holder: null }));
  const parts = [...taken, ...unknown].map((load) => {
    const scan = visit.boxes[load.box];
    const refused = scan.refused || {};
    const verified = Object.keys(scan.tubes).filter((code) => !refused[code]);
    const settledCodes = scan.there || {};
    const unverified = verified.length ? load.tubes.map((tube) => tube.accession).filter((code) => !scan.tubes[code] && !refused[code] && !settledCodes[code]) : [];
    const count = load.unknown ? scan.count : load.tubes.length - Object.keys(refused).length;
    return { load, scan, verified: verified.length, unverified, refused, count, giving: load.holder === day.username };
  });
  return { parts, missing: here.filter((load) => !visit.boxes[load.box]) };
}
