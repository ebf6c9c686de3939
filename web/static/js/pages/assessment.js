/** One assessment: saying with a word that the decision stands after late readings. */
import { api } from "../api.js";
import { busy, clearErrors, showFieldError } from "../forms.js";
import { ready } from "../i18n.js";
import { toastError } from "../toast.js";

async function start() {
  await ready;
  const form = document.getElementById("stands-form");
  if (!form) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    try {
      await busy(form.querySelector("[type=submit]"), () => api(form.dataset.url, { body: { word: form.elements.word.value } }));
      location.reload();
    } catch (error) {
      if (!error.field || !showFieldError(form, error.field, error.sentence)) toastError(error);
    }
  });
}

start().catch((error) => console.error("assessment", error));
