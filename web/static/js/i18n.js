/**
 * Languages in scripts: _("Scanned %(n)s of %(m)s", {n, m}). English is the msgid itself.
 * The catalogue is kept in localStorage, so that it is there at once and without a signal; `ready` resolves when
 * it is loaded for the first time (wait for it before building a page from scripts). A page for thin lines says
 * <meta name="i18n-page" content="courier"> and gets only the shared words and those of js/pages/courier*.js.
 * The catalogue names each sentence by a short hash, the same as web/i18n.py makes: half of the bytes.
 */
import { meta } from "./dom.js";

export const locale = meta("locale").startsWith("en") ? "en" : "zh_CN";
export const lang = locale === "en" ? "en-GB" : "zh-CN";
const page = meta("i18n-page");
const KEY = `labrelay.words.${locale}${page && `.${page}`}`;
let catalogue = kept();

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || null;
  } catch (error) {
    return null;
  }
}

async function load() {
  const answer = await fetch(`/i18n/${locale}.json${page && `?page=${page}`}`, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`catalogue ${answer.status}`);
  catalogue = await answer.json();
  try {
    localStorage.setItem(KEY, JSON.stringify(catalogue));
  } catch (error) {
    /* a full or forbidden store only costs a request */
  }
}

export const ready = locale === "en" ? Promise.resolve() : Promise.race([
  load().catch(() => undefined),
  catalogue ? Promise.resolve() : new Promise((done) => setTimeout(done, 10000)),
]);

const keys = new Map();

function keyOf(msgid) {
  let key = keys.get(msgid);
  if (key === undefined) {
    let value = 0x811c9dc5;
    for (let place = 0; place < msgid.length; place += 1) {
      value = Math.imul(value ^ msgid.charCodeAt(place), 0x01000193) >>> 0;
    }
    key = (value % 36 ** 5).toString(36);
    keys.set(msgid, key);
  }
  return key;
}

/** The translation of an English sentence with %(name)s filled in. */
export function _(msgid, params = null) {
  const text = (catalogue && catalogue[keyOf(msgid)]) || msgid;
  if (!params) return text.replace(/%%/g, "%");
  return text.replace(/%\((\w+)\)[sd]|%%/g, (all, name) => (all === "%%" ? "%" : String(params[name] ?? "")));
}
