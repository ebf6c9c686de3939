/** Nonconformities: settle what nobody knew; collect again with one tap. */
import { ask, askUntilTaken } from "../ask.js";
import { ready, _ } from "../i18n.js";
import { toast, toastError } from "../toast.js";
import { act, printFrom, went } from "./office.js";

async function settle(button) {
  const dialog = document.getElementById("settle-dialog");
  dialog.querySelector("[data-settle-code]").textContent = button.dataset.accession;
  const form = document.getElementById("settle-form");
  const answer = await askUntilTaken(form, (refused) => ask(dialog, form, refused), ({ note }) => act("settle", { subject: { consignment: button.dataset.consignment }, payload: { finding: Number(button.dataset.settle), note } }));
  if (!answer) return;
  if (went(answer)) location.reload();
  else toast(answer.sentence, "danger");
}

async function recollect(button) {
  button.disabled = true;
  const answer = await act("recollect", { subject: { specimen: button.dataset.accession, specimen_id: Number(button.dataset.recollect) } });
  if (!went(answer)) {
    button.disabled = false;
    toast(answer.sentence, "danger");
    return;
  }
  const { specimen, specimen_id: id } = answer.result || {};
  if (specimen) toast(_("Registered again as %(number)s.", { number: specimen }), "ok", { timeout: 12000, action: { label: _("Print label"), run: () => printFrom("/print/specimens", { id }) } });
  button.remove();
}

ready.then(() => {
  document.addEventListener("click", (event) => {
    const settling = event.target.closest("[data-settle]");
    const again = event.target.closest("[data-recollect]");
    if (settling) settle(settling).catch(toastError);
    if (again) recollect(again).catch(toastError);
  });
}).catch((error) => console.error("nonconformities", error));
