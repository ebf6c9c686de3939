/** Pages without the shell: sign-in, errors, offline. */
import { wireThemeSwitches } from "./theme.js";

wireThemeSwitches();
for (const button of document.querySelectorAll("[data-back]")) button.addEventListener("click", () => history.back());
for (const button of document.querySelectorAll("[data-reload]")) button.addEventListener("click", () => location.reload());
for (const button of document.querySelectorAll("[data-username]")) {
  button.addEventListener("click", () => {
    document.getElementById("username").value = button.dataset.username;
    document.getElementById("password").value = button.dataset.password;
    document.querySelector("#login-form [type=submit]").focus();
  });
}
