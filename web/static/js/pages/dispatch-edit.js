/** Changing a draft: every edit goes to the server with the state it was made on; the page then shows the answer. */
import { api } from "../api.js";
import { openDialog } from "../dialog.js";
import { fill, h, icon } from "../dom.js";
import { busy } from "../forms.js";
import { _ } from "../i18n.js";
import { toastError } from "../toast.js";
import { km, minutes } from "./dispatch-common.js";

const head = () => document.getElementById("plan");
const planId = () => head().dataset.plan;
const revision = () => Number(head().dataset.revision);
const names = (text) => text.split(" ").filter(Boolean);
const signed = (value, words) => `${value < 0 ? "−" : "+"}${words(Math.abs(value))}`;

let refresh = async () => undefined;

/** Ask what moving these requests would do, with each courier at each place. */
export const effectsOf = (requests, deliveries) => api(`/api/v1/plans/${planId()}/effects`, { body: { requests, deliveries, revision: revision() } });

/** One effect in words: what it costs, or why it is refused. */
export function effectWords(effect) {
  if (!effect.fits) return effect.broken.join(" ");
  if (effect.same) return _("stays as it is");
  const parts = [signed(effect.extra_m, km), signed(effect.work_s, minutes)];
  if (effect.later_s >= 60 && effect.later_site) parts.push(_("%(site)s %(time)s later", { site: effect.later_site, time: minutes(effect.later_s) }));
  else parts.push(_("nobody else waits longer"));
  return parts.join(" · ");
}

/** Make one edit; the page is drawn again with what the server says. */
export async function edit(body) {
  try {
    await api(`/api/v1/plans/${planId()}/edits`, { body: { ...body, revision: revision() } });
  } catch (error) {
    toastError(error);
    if (error.code !== "plan_changed_meanwhile" && error.code !== "plan_not_editable") return false;
  }
  await refresh();
  return true;
}

function placeWords(option, index, stops) {
  if (index === null) return _("best place");
  if (index >= stops.length) return _("at the end");
  return _("before %(n)s. %(site)s", { n: index + 1, site: stops[index] });
}

function courierRow(option, stops, { requests, deliveries, dialog }) {
  const places = deliveries ? option.places : [option.best, ...option.places];
  const words = h("p", { class: "move-effect" });
  const go = h("button", { class: "btn btn-sm", type: "button" }, icon("check"), _("Move here"));
  const select = h("select", { class: "select", "aria-label": _("Place in the route of %(name)s", { name: option.name }) },
    places.map((place, number) => h("option", { value: number }, `${placeWords(option, place.before, stops)}${place.fits ? "" : ` (${_("not possible")})`}`)));
  const show = () => {
    const place = places[Number(select.value)];
    fill(words, icon(place.fits ? (place.same ? "minus" : "check") : "cross-circle"), h("span", {}, effectWords(place)));
    words.classList.toggle("is-refused", !place.fits);
    go.disabled = !place.fits || place.same;
  };
  select.addEventListener("change", show);
  go.addEventListener("click", () => busy(go, async () => {
    const before = places[Number(select.value)].before;
    if (await edit({ action: "move", requests, courier: option.courier, before, deliveries })) dialog.close();
  }));
  show();
  return h("li", { class: "work move-row", "data-courier": option.courier },
    h("div", { class: "work-main" }, h("div", { class: "work-title" }, option.name), words),
    h("div", { class: "row-sm move-go" }, select, go));
}

/** The keyboard's way: choose the courier and the place from lists that say what each does. */
async function openMove(button, known) {
  const dialog = document.getElementById("move-dialog");
  const body = document.getElementById("move-body");
  const requests = names(button.dataset.move);
  const deliveries = Boolean(button.dataset.deliveries);
  fill(body, h("p", { class: "strong" }, button.dataset.name), h("span", { class: "skeleton skeleton-line" }));
  openDialog(dialog);
  try {
    const plan = known || await api(`/api/v1/plans/${planId()}`);
    const found = await effectsOf(requests, deliveries);
    const siteName = (code) => (plan.sites[code] ? plan.sites[code].name : code);
    const stopsOf = (courier) => (plan.routes.find((route) => route.courier === courier) || { stops: [] }).stops.map((stop) => siteName(stop.site));
    const holder = plan.routes.find((route) => route.stops.some((stop) => stop.delivered.some((one) => requests.includes(one.request))));
    const shown = found.couriers.filter((one) => !deliveries || (holder && one.courier === holder.courier));
    shown.sort((a, b) => Number(b.best.fits) - Number(a.best.fits) || a.best.cost - b.best.cost);
    fill(body, h("p", { class: "strong" }, button.dataset.name), h("ul", { class: "worklist" }, shown.map((one) => courierRow(one, stopsOf(one.courier), { requests, deliveries, dialog }))));
  } catch (error) {
    dialog.close();
    toastError(error);
    if (error.code === "plan_changed_meanwhile") await refresh();
  }
}

function bodyOf(data) {
  const body = { action: data.edit };
  if (data.requests) body.requests = names(data.requests);
  if (data.courier) body.courier = data.courier;
  if (data.on !== undefined) body.on = data.on === "1";
  if (data.remedy) body.remedy = Number(data.remedy);
  if (data.plan) body.plan = Number(data.plan);
  return body;
}

/** Buttons of the page; wired once, because the page's body is replaced after each edit. */
export function wireEdits({ plan, redraw }) {
  refresh = redraw;
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const mover = target && target.closest("[data-move]");
    if (mover) openMove(mover, plan()).catch(toastError);
    const button = target && target.closest("button[data-edit]");
    if (!button || button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true"); // not disabled: the focus must stay where it is
    edit(bodyOf(button.dataset)).catch(toastError).finally(() => button.removeAttribute("aria-busy"));
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog[open]");
    if (typing || !(event.ctrlKey || event.metaKey) || event.altKey || !head().dataset.mayEdit) return;
    const key = event.key.toLowerCase();
    const action = key === "z" && !event.shiftKey ? "undo" : key === "y" || key === "z" ? "redo" : null;
    const button = action && document.querySelector(`[data-edit="${action}"]:not(:disabled)`);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
}
