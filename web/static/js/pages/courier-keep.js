/** Have the service worker keep all parts of the page: a first visit happens before there is a worker. */
import "./courier-order.js";
import { STYLE } from "./courier-sheet.js";

const PARTS = ["", "-duty", "-keep", "-lists", "-model", "-order", "-rules", "-seal", "-sheet", "-sign", "-store", "-today", "-tubes", "-visit", "-words"];

export async function keepPage() {
  if (!("serviceWorker" in navigator) || !window.isSecureContext) return;
  const { active } = await navigator.serviceWorker.ready;
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name.split("#")[0]);
  const parts = PARTS.map((name) => new URL(`./courier${name}.js`, import.meta.url).href);
  const give = ["../handover-offer.js", "../hmac.js", "../give.js", "../../css/pages/give.css", "../../vendor/lean-qr/lean-qr.js"].map((path) => new URL(path, import.meta.url).href);
  active.postMessage({ keep: [new URL("/courier", location.href).href, ...new Set([...loaded, ...parts, ...give, STYLE])] });
}
