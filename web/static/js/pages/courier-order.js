/** The courier's own order of the stops that are left: kept on the phone, told to dispatch, undone. */
import { now } from "../clock.js";
import { confirmDialog } from "../dialog.js";
import { h } from "../dom.js";
import { _ } from "../i18n.js";
import { toast } from "../toast.js";
import { losses } from "./courier-model.js";
import * as store from "./courier-store.js";
import { lossSentence } from "./courier-today.js";

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
