/** Outcomes: one tap registers the tube that is collected again. */
import { h, icon } from "../dom.js";
import { ready, _ } from "../i18n.js";
import { toast, toastError } from "../toast.js";
import { act, printFrom, refresh, refreshEvery, went } from "./office.js";

const PARTS = ["#outcomes tbody", ".tiles"];

async function recollect(button) {
  button.disabled = true;
  const answer = await act("recollect", { subject: { specimen: button.dataset.accession, specimen_id: Number(button.dataset.recollect) } });
  if (!went(answer)) {
    button.disabled = false;
    toast(answer.sentence, "danger");
    return;
  }
  const { specimen, specimen_id: id } = answer.result || {};
  if (specimen) {
    toast(_("Registered again as %(number)s.", { number: specimen }), "ok", { timeout: 12000, action: { label: _("Print label"), run: () => printFrom("/print/specimens", { id }) } });
    button.replaceWith(h("span", { class: "chip tone-ok" }, icon("recollect"), _("Again as %(number)s", { number: specimen })));
  }
  refresh(PARTS).catch(() => undefined);
}

async function start() {
  await ready;
  document.getElementById("outcomes").addEventListener("click", (event) => {
    const button = event.target.closest("[data-recollect]");
    if (button) recollect(button).catch(toastError);
  });
  refreshEvery(30, PARTS);
}

start().catch((error) => console.error("outcomes", error));
