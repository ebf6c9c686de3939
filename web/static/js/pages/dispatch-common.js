/** What the dispatcher's pages share: a colour per route, minutes and kilometres in words, polling that rests. */
import { _ } from "../i18n.js";
import { token } from "../theme.js";

export const COLOURS = 10;

/** The colour of a route; light and dark themes have their own. After ten routes they repeat, the number tells. */
export const routeColour = (index) => token(`--route-${index % COLOURS}`);

const letters = (text) => Array.from(text).reduce((sum, letter) => sum + (letter.charCodeAt(0) > 255 ? 16 : 8), 0);

/** A site with its name beside it where there is room: the city always (above, its county centre is near), others on wide maps. */
export function placeSite(map, site) {
  const roomy = map.leaflet.getContainer().clientWidth > 3.5 * letters(site.name);
  const marker = map.site({ ...site, permanent: site.tier === "county" && roomy });
  if (site.tier === "city") marker.unbindTooltip().bindTooltip(site.name, { permanent: true, direction: "top", offset: [0, -16] });
  return marker;
}

export const km = (metres) => `${(metres / 1000).toFixed(metres < 10000 ? 1 : 0)} km`;

export function minutes(seconds) {
  const whole = Math.round(seconds / 60);
  if (whole < 60) return _("%(n)s min", { n: whole });
  return _("%(h)s h %(m)s min", { h: Math.floor(whole / 60), m: whole % 60 });
}

/**
 * Call `look` again and again, `every` ms with jitter, not while the page is hidden, slower after errors.
 * look() gives false to end it. Returns a function that asks at once.
 */
export function poll(look, every) {
  let timer = null;
  let running = false;
  let failures = 0;
  let ended = false;

  async function turn() {
    clearTimeout(timer);
    if (running || ended || document.visibilityState === "hidden") return;
    running = true;
    try {
      ended = (await look()) === false;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!error.temporary) console.error(error);
    } finally {
      running = false;
    }
    if (!ended) timer = setTimeout(turn, every * (0.85 + Math.random() * 0.3) * Math.min(8, 1 + failures));
  }

  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && turn());
  turn();
  return turn;
}
