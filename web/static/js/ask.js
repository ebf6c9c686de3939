/** Questions in a dialog that stay until they are taken: a refusal stands at its field, and nothing is lost. */
import { h, icon } from "./dom.js";
import { clearErrors, showFieldError } from "./forms.js";
import { _ } from "./i18n.js";

/** True for a refusal about a field that people type into this form. */
const isAbout = (form, answer) => answer.status === "refused" && Boolean(answer.field && form.elements[answer.field] && form.querySelector(`[data-error-for="${CSS.escape(answer.field)}"]`));

/** Show the dialog: empty, or after a refusal as it was left, with the sentence at the field. */
export function present(dialog, form, refused = null) {
  clearErrors(form);
  if (!refused) form.reset();
  dialog.returnValue = "";
  dialog.showModal();
  if (refused) showFieldError(form, refused.field, refused.sentence);
}

/** Open a <dialog> with a form; resolves with its fields, or null when it was cancelled. */
export function ask(dialog, form, refused = null) {
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null), { once: true });
    present(dialog, form, refused);
  });
}

/**
 * Ask and send until the answer is about none of the form's fields, or somebody cancels (null).
 * question(refused) resolves with what was said or null; send(said) with the answer of the act.
 */
export async function askUntilTaken(form, question, send) {
  for (let refused = null; ;) {
    const said = await question(refused);
    if (!said) return null;
    const answer = await send(said);
    if (!isAbout(form, answer)) return answer;
    refused = answer;
  }
}

/** One question in words, in a dialog made for it: {title, text, label, action, name, longest, danger}. */
export async function askInWords({ title, text, label, action, name = "reason", longest = 400, danger = false }, send) {
  const note = h("span", { id: "ask-words-note", "data-error-for": name, class: "field-hint", hidden: true });
  const form = h("form", { method: "dialog" },
    h("div", { class: "dialog-head" }, h("h2", { id: "ask-words-title" }, title)),
    h("div", { class: "dialog-body stack-sm" },
      h("p", {}, text),
      h("div", { class: "field" }, h("label", { for: "ask-words" }, label), h("textarea", { class: "textarea", id: "ask-words", name, rows: 3, maxlength: longest, required: true }), note)),
    h("div", { class: "dialog-foot" },
      h("button", { class: "btn", type: "button", onclick: () => dialog.close("") }, _("Cancel")),
      h("button", { class: `btn ${danger ? "btn-danger" : "btn-primary"}`, type: "submit", value: "yes" }, icon("check"), action)));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "ask-words-title" }, form);
  document.body.append(dialog);
  try {
    return await askUntilTaken(form, (refused) => ask(dialog, form, refused), (said) => send(said[name].trim()));
  } finally {
    dialog.remove();
  }
}
