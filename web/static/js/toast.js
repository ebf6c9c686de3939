/** A short message that is also read aloud: toast("Sealed", "ok"). Errors stay until they are closed. */
import { h, icon } from "./dom.js";
import { _ } from "./i18n.js";

const ICONS = { ok: "check-circle", warn: "warning", danger: "cross-circle", info: "info", hold: "hold" };

/** tone: ok, warn, danger, info, hold. options: {timeout ms, action: {label, run}}. Returns a function that closes it. */
export function toast(text, tone = "info", { timeout = tone === "danger" ? 0 : 5000, action = null } = {}) {
  const region = document.getElementById("toasts") || document.body.appendChild(h("div", { class: "toasts", id: "toasts", role: "status", "aria-live": "polite" }));
  const close = () => element.remove();
  const element = h("div", { class: `toast tone-${tone}`, role: tone === "danger" ? "alert" : null },
    icon(ICONS[tone] || "info"),
    h("div", { class: "toast-text" }, text),
    action && h("button", { class: "btn btn-sm", type: "button", onclick: () => { close(); action.run(); } }, action.label),
    h("button", { class: "btn btn-quiet btn-icon", type: "button", "aria-label": _("Close"), onclick: close }, icon("cross")));
  while (region.children.length >= 4) region.firstElementChild.remove();
  region.append(element);
  if (timeout) setTimeout(close, timeout);
  return close;
}

/** Show any error of api() in words. */
export function toastError(error) {
  toast(error && error.sentence ? error.sentence : _("Something went wrong on this page. Please load it again."), "danger");
  if (!error || !error.sentence) console.error(error);
}
