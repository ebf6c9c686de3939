/** Dialogs and menus: [data-open=id] opens <dialog id>, [data-close] closes, dialog[data-shown] is open from the start;
 *  confirmDialog() asks in words. */
import { h, icon } from "./dom.js";
import { _ } from "./i18n.js";

export function openDialog(dialog) {
  const element = typeof dialog === "string" ? document.getElementById(dialog) : dialog;
  if (element && !element.open) element.showModal();
  return element;
}

/** Ask before something that cannot be undone. Resolves true or false. danger makes the button red. */
export function confirmDialog({ title, text = "", action = _("Confirm"), danger = false }) {
  return new Promise((resolve) => {
    const element = h("dialog", { class: "dialog", "aria-labelledby": "confirm-title" },
      h("div", { class: "dialog-head" }, h("h2", { id: "confirm-title" }, title)),
      h("div", { class: "dialog-body" }, ...(Array.isArray(text) ? text : [h("p", {}, text)])),
      h("div", { class: "dialog-foot" },
        h("button", { class: "btn", type: "button", onclick: () => element.close("no") }, _("Cancel")),
        h("button", { class: `btn ${danger ? "btn-danger" : "btn-primary"}`, type: "button", autofocus: true, onclick: () => element.close("yes") }, icon("check"), action)));
    element.addEventListener("close", () => {
      element.remove();
      resolve(element.returnValue === "yes");
    });
    document.body.append(element);
    element.showModal();
  });
}

export function wireDialogs() {
  const shown = document.querySelector("dialog[data-shown]");
  if (shown) {
    openDialog(shown);
    const wrong = shown.querySelector('[aria-invalid="true"]');
    if (wrong) wrong.focus();
  }
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    const opener = target.closest("[data-open]");
    if (opener) openDialog(opener.dataset.open);
    const closer = target.closest("[data-close]");
    if (closer && closer.closest("dialog")) closer.closest("dialog").close();
    if (target instanceof HTMLDialogElement && target.classList.contains("dialog")) {
      const box = target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside && event.clientX + event.clientY > 0) target.close();
    }
    for (const menu of document.querySelectorAll("details[data-menu][open]")) if (!menu.contains(target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}
