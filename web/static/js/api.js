/**
 * Talking to the server: api("/api/v1/…", {method, body}) gives the JSON of the answer or throws ApiError.
 * ApiError: status (0 when nothing answered), code, sentence, field. code "no_contact": no answer at all;
 * "not_ours": something answered that is not Labrelay (a captive portal).
 */
import { meta } from "./dom.js";
import { _ } from "./i18n.js";

export class ApiError extends Error {
  constructor(status, code, sentence, field = null) {
    super(sentence || code);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.sentence = sentence || code;
    this.field = field;
  }

  /** True when trying the same again later may help. */
  get temporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export const contact = new EventTarget();
let lastContact = null;
let csrf = meta("csrf-token");

/** performance-clock time of the last true answer of the server, or null. */
export const contactAge = () => (lastContact === null ? null : performance.now() - lastContact);

function heard() {
  lastContact = performance.now();
  contact.dispatchEvent(new Event("heard"));
}

/** Fetch the page's token again: it changes when somebody signs in again in another tab. */
export async function renewCsrf() {
  const answer = await fetch("/account", { credentials: "same-origin" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.querySelector('meta[name="csrf-token"]');
  const user = page.querySelector('meta[name="user"]');
  if (!found || !user || user.content !== meta("user")) return false;
  csrf = found.content;
  return true;
}

async function send(path, { method, body, form, timeout, headers }) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeout);
  try {
    return await fetch(path, {
      method,
      body: form || (body === undefined ? undefined : JSON.stringify(body)),
      credentials: "same-origin",
      cache: "no-store",
      signal: stop.signal,
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method === "GET" ? {} : { "X-CSRFToken": csrf }),
        ...headers,
      },
    });
  } catch (error) {
    throw new ApiError(0, "no_contact", _("No connection to the server."));
  } finally {
    clearTimeout(timer);
  }
}

async function parse(answer) {
  const type = answer.headers.get("Content-Type") || "";
  if (answer.redirected || !type.includes("json")) {
    throw new ApiError(answer.status >= 500 ? answer.status : 0, "not_ours", _("The network answered, but not our server. Is there a sign-in page of the Wi-Fi?"));
  }
  let body;
  try {
    body = await answer.json();
  } catch (error) {
    throw new ApiError(0, "not_ours", _("The answer broke off. It will be tried again."));
  }
  heard();
  if (!answer.ok) throw new ApiError(answer.status, body.code || "error", body.sentence || body.code, body.field || null);
  return body;
}

/** One request. options: method, body (JSON), form (FormData), timeout in ms, headers. */
export async function api(path, options = {}) {
  const settled = {
    timeout: 15000, headers: {}, ...options,
    method: options.method || (options.body !== undefined || options.form ? "POST" : "GET"),
  };
  const answer = await send(path, settled);
  if (answer.status === 204) {
    heard();
    return null;
  }
  try {
    return await parse(answer);
  } catch (error) {
    if (error.code !== "csrf_failed" || !(await renewCsrf().catch(() => false))) throw error;
    return parse(await send(path, settled));
  }
}
