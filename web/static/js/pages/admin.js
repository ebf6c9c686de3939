/** The page that shows a one-time password: printing it is the only thing to do. */
for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
