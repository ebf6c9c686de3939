/** The courier's own order of the stops that are left: kept on the phone, told to dispatch, undone. */
import { now } from "../clock.js";
import { confirmDialog } from "../dialog.js";
import { h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { toast } from "../toast.js";
import { losses } from "./courier-model.js";
import * as store from "./courier-store.js";
import { lossSentence } from "./courier-today.js";
import { own } from "./courier-words.js";

let before = null; // the order before the last change, for "undo"

/** step −1, 1, or 0: to the front. Asks first when a tube would be lost by it. */
export async function move(app, stop, step) {
  const left = app.day.route.filter((one) => one.state === "planned");
  const order = left.filter((one) => one !== stop);
  order.splice(step === 0 ? 0 : left.indexOf(stop) + step, 0, stop);
  const at = now().getTime();
  const known = new Set(losses(app.day, left, at).map((loss) => loss.what + loss.load.number + (loss.accession || "")));
  const fresh = losses(app.day, order, at).filter((loss) => !known.has(loss.what + loss.load.number + (loss.accession || "")));
  if (fresh.length) {
    const text = fresh.slice(0, 3).map((loss) => h("p", {}, lossSentence(app.day, loss)));
    if (!(await confirmDialog({ title: _("A tube would be lost"), text, action: _("Change all the same"), danger: true }))) return;
  }
  before = { order: app.order };
  await choose(app, order.map((one) => one.id));
  toast(_("Order changed."), "ok", { action: { label: _("Undo"), run: () => undo(app) } });
}

async function choose(app, stops) {
  await store.keep("order", { plan: app.today.plan.ids.join(), stops, told_at: null });
  await app.refresh();
  app.duty.flush();
}

export async function undo(app) {
  const old = before && before.order && !before.order.refused ? before.order.stops : null;
  before = null;
  const left = new Set(app.day.route.filter((stop) => stop.state === "planned").map((stop) => stop.id));
  const plan = app.today.stops.map((stop) => stop.id);
  await choose(app, (old || plan).filter((id) => left.has(id)));
}

/** What another publication of the plan changed since he last said that he had seen it; null when nothing did. */
export async function changeNotice(app) {
  if (!app.today) return null;
  const places = app.today.stops.filter((stop) => stop.kind !== "start" && stop.kind !== "end");
  const plan = { day: app.today.day, ids: app.today.plan ? app.today.plan.ids.join() : "", sites: places.map((stop) => stop.site), names: {} };
  for (const code of plan.sites) plan.names[code] = app.today.sites[code];
  const old = await store.kept("plan");
  if (!old || old.day !== plan.day || !old.ids) await store.keep("plan", plan);
  if (!old || old.day !== plan.day || !old.ids || old.ids === plan.ids) return null;
  const names = (codes) => Array.from(new Set(codes)).map((code) => own(plan.names[code] || old.names[code])).join(", ");
  const added = names(plan.sites.filter((code) => !old.sites.includes(code)));
  const dropped = names(old.sites.filter((code) => !plan.sites.includes(code)));
  const said = [added && _("New: %(sites)s.", { sites: added }), dropped && _("No longer: %(sites)s.", { sites: dropped })].filter(Boolean).join(" ");
  return h("div", { class: "notice tone-info", id: "plan-change", role: "status" }, icon("route"),
    h("div", { class: "notice-body" }, h("strong", {}, _("Dispatch has changed your plan.")), " ", said || _("The stops are the same; look at order and times.")),
    h("button", { class: "btn", type: "button", onclick: async () => { await store.keep("plan", plan); app.refresh(); } }, _("Understood")));
}
