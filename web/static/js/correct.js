/** Declaring an entry of the record wrong: asks why, sends the act, shows the record as it is then. */
import { submit } from "./acts.js";
import { h, icon } from "./dom.js";
import { _ } from "./i18n.js";
import { toast } from "./toast.js";

const LONGEST = 500;

function askWhy(title) {
  return new Promise((resolve) => {
    const field = h("textarea", { class: "input", id: "correct-reason", rows: 3, maxlength: LONGEST, required: true });
    const form = h("form", { method: "dialog" },
      h("div", { class: "dialog-head" }, h("h2", { id: "correct-title" }, _("Declare wrong: %(entry)s", { entry: title }))),
      h("div", { class: "dialog-body stack-sm" },
        h("p", {}, _("The entry stays in the record. Your name, the time and the reason are put beside it.")),
        h("label", { class: "field" }, h("span", { class: "label" }, _("What was wrong?")), field)),
      h("div", { class: "dialog-foot" },
        h("button", { class: "btn", type: "button", onclick: () => dialog.close() }, _("Cancel")),
        h("button", { class: "btn btn-danger", type: "submit", value: "yes" }, icon("check"), _("Declare wrong"))));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "correct-title" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? field.value.trim() : "");
    });
    document.body.append(dialog);
    dialog.showModal();
    field.focus();
  });
}

/** subject: {specimen_id} or {consignment}; event: its number in the stream. */
export async function declareWrong(subject, event, title) {
  const reason = await askWhy(title);
  if (!reason) return;
  const answer = await submit("correct", { subject, payload: { event, reason } });
  if (answer.status === "done" || answer.status === "duplicate") window.location.reload();
  else toast(answer.sentence, answer.status === "waiting" ? "warn" : "danger");
}
