/** Errors beside the field they are about, busy buttons, and drafts that survive a change of language. */
import { fill, h, icon } from "./dom.js";

/** Show `sentence` beside the field called `name`; false when the form has no such field. */
export function showFieldError(form, name, sentence) {
  const control = form.elements[name];
  const note = form.querySelector(`[data-error-for="${CSS.escape(name)}"]`);
  if (!control || !note) return false;
  const first = control instanceof RadioNodeList ? control[0] : control;
  if (!note.dataset.hint) note.dataset.hint = note.classList.contains("field-error") ? " " : note.textContent || " ";
  note.hidden = false;
  note.className = "field-error";
  fill(note, icon("cross-circle"), h("span", {}, sentence));
  first.setAttribute("aria-invalid", "true");
  first.setAttribute("aria-describedby", note.id);
  first.focus();
  return true;
}

export function clearErrors(form) {
  for (const control of form.querySelectorAll('[aria-invalid="true"]')) control.removeAttribute("aria-invalid");
  for (const note of form.querySelectorAll(".field-error[data-error-for]")) {
    const hint = (note.dataset.hint || "").trim();
    note.className = "field-hint";
    note.textContent = hint;
    note.hidden = !hint;
  }
}

/** The form's fields as an object of strings. */
export const values = (form) => Object.fromEntries(Array.from(new FormData(form).entries()).filter(([, value]) => typeof value === "string"));

/** Run `work` while the button shows that it is busy. */
export async function busy(button, work) {
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
}

const DRAFT = "labrelay.draft:";
const keepable = (control) => control.name && control.name !== "csrf_token" && !["password", "hidden", "file", "submit", "button"].includes(control.type);

/** A click on a link that loads the page in another language: keep what was typed for where it leads. */
export function keepDrafts(event) {
  const drafts = Array.from(document.forms).map((form) => Array.from(form.elements).filter(keepable).map((control) =>
    [control.name, control.type === "checkbox" || control.type === "radio" ? [control.value, control.checked] : control.value]));
  sessionStorage.setItem(DRAFT + event.currentTarget.pathname, JSON.stringify(drafts));
}

export function restoreDrafts() {
  const kept = sessionStorage.getItem(DRAFT + location.pathname);
  sessionStorage.removeItem(DRAFT + location.pathname);
  if (!kept) return;
  JSON.parse(kept).forEach((draft, index) => {
    const form = document.forms[index];
    const controls = form ? Array.from(form.elements).filter(keepable) : [];
    draft.forEach(([name, value], place) => {
      const control = controls[place];
      if (!control || control.name !== name) return;
      if (Array.isArray(value)) control.checked = value[1];
      else control.value = value;
    });
  });
}
