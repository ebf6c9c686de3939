/** Small helpers for building pages from scripts. Text is always text, never HTML. */

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = "/static/icons/sprite.svg";

/** The icon of the sprite as an element; `name` as in the `icon()` macro. */
export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${className}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

/** h("button", {class: "btn", type: "button", onclick: f}, icon("check"), "Done"). Null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A state chip like the `chip()` macro. */
export function chip(label, tone = "neutral", iconName = null) {
  return h("span", { class: `chip tone-${tone}` }, iconName && icon(iconName), label);
}

/** Give an element one tone and take the others away. */
export function setTone(element, tone) {
  for (const name of Array.from(element.classList)) if (name.startsWith("tone-")) element.classList.remove(name);
  if (tone) element.classList.add(`tone-${tone}`);
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The content of `<meta name=…>`. */
export function meta(name) {
  const found = document.querySelector(`meta[name="${name}"]`);
  return found ? found.content : "";
}
