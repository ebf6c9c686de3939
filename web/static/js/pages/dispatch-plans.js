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
    const plan = await busy(form.querySelector("[type=submit]"), () => api("/api/v1/plans", { body: { ...sent, seconds: Number(sent.seconds), each: Boolean(sent.each) } }));
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

const EVERY_MS = 1500;
const group = document.getElementById("group");

/** Plans that were ordered together: the page comes again whenever one more is done. */
async function follow() {
  try {
    const { plans } = await api(`/api/v1/plans?group=${encodeURIComponent(group.dataset.group)}`);
    if (plans.filter((plan) => plan.state === "planning").length !== Number(group.dataset.underWay)) {
      location.reload();
      return;
    }
  } catch {
    // the line is away for a moment
  }
  setTimeout(follow, EVERY_MS);
}

if (group && Number(group.dataset.underWay)) setTimeout(follow, EVERY_MS);

if (form) {
  form.addEventListener("submit", order); // at once: a click before the catalogue is here must not send the form
  prefill();
}
