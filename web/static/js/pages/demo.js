/** The bar of the simulated day: pause, speed, next morning. */
import { api } from "../api.js";
import { resync } from "../clock.js";
import { toastError } from "../toast.js";

async function turn(body) {
  try {
    const answer = await api("/api/v1/demo/clock", { method: "POST", body });
    await resync();
    for (const button of document.querySelectorAll("[data-demo-rate]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.demoRate) === answer.rate));
    }
    if (answer.started) location.reload();
  } catch (error) {
    toastError(error);
  }
}

for (const button of document.querySelectorAll("[data-demo-rate]")) {
  button.addEventListener("click", () => turn({ rate: Number(button.dataset.demoRate) }));
}
const again = document.querySelector("[data-demo-again]");
if (again) again.addEventListener("click", () => turn({ again: true }));
