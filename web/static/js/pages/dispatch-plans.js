/** The list of plans: order a new one. */
import { api } from "../api.js";
import { openDialog } from "../dialog.js";
import { busy, clearErrors, showFieldError, values } from "../forms.js";
import { toastError } from "../toast.js";

const form = document.getElementById("new-plan-form");

async function order(event) {
  event.preventDefault();
  clearErrors(form);
  const sent = values(form);
  try {
    const plan = await busy(form.querySelector("[type=submit]"), () => api("/api/v1/plans", { body: { ...sent, seconds: Number(sent.seconds) } }));
    location.assign(plan.url);
  } catch (error) {
    if (!error.field || !showFieldError(form, error.field, error.sentence)) toastError(error);
  }
}

/** ?day=…&scope=… opens the form filled in ("plan again"). */
function prefill() {
  const asked = new URLSearchParams(location.search);
  if (!asked.has("scope")) return;
  for (const name of ["day", "scope"]) if (asked.get(name)) form.elements[name].value = asked.get(name);
  openDialog("new-plan");
}

if (form) {
  form.addEventListener("submit", order); // at once: a click before the catalogue is here must not send the form
  prefill();
}
