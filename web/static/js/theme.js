/** Light and dark: the choice is kept in a cookie, so that the server sends the page in it and nothing flashes. */
const YEAR_S = 365 * 24 * 3600;

export function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen) return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=${YEAR_S}; SameSite=Lax${location.protocol === "https:" ? "; Secure" : ""}`;
  document.dispatchEvent(new CustomEvent("theme:changed", { detail: theme }));
}

export function wireThemeSwitches() {
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.addEventListener("click", () => setTheme(currentTheme() === "dark" ? "light" : "dark"));
  }
}

/** The value of a design token, for canvases. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
