/** An open pickup beside the published plan: who could fetch it, what it costs, and taking one offer. */
import { api } from "../api.js";
import { formatTime } from "../clock.js";
import { openDialog } from "../dialog.js";
import { fill, h, icon } from "../dom.js";
import { busy } from "../forms.js";
import { _ } from "../i18n.js";
import { toast, toastError } from "../toast.js";
import { km, minutes } from "./dispatch-common.js";

const dialog = document.getElementById("offer-dialog");
const body = document.getElementById("offer-body");

function effect(offer) {
  if (!offer.later_s || !offer.later_site) return _("nobody else waits longer");
  return _("%(site)s %(time)s later", { site: offer.later_site, time: minutes(offer.later_s) });
}

function row(offer, first, take) {
  return h("li", { class: `work offer${first ? " offer-best" : ""}` },
    h("span", { class: `work-icon tone-${first ? "ok" : "neutral"}` }, icon("truck")),
    h("div", { class: "work-main" },
      h("div", { class: "work-title" }, offer.name, first ? h("span", { class: "chip tone-ok" }, icon("check"), _("least effort")) : null),
      h("div", {}, _("there at %(time)s, at the laboratory %(lab)s", { time: formatTime(offer.pickup_at), lab: formatTime(offer.delivery_at) })),
      h("div", { class: "work-sub" }, `+${minutes(offer.extra_s)} · +${km(Math.max(0, offer.extra_m))} · ${effect(offer)}`)),
    h("button", { class: `btn${first ? " btn-primary" : ""}`, type: "button", onclick: (event) => take(event.currentTarget, offer) }, icon("check"), _("Give it to %(name)s", { name: offer.name })));
}

async function show(pickup, taken) {
  fill(body, h("p", {}, h("strong", {}, pickup.name), " · ", _("fetch %(from)s–%(to)s", { from: formatTime(pickup.ready_at), to: formatTime(pickup.latest_at) })), h("span", { class: "skeleton skeleton-line" }));
  openDialog(dialog);
  const take = async (button, offer) => {
    try {
      await busy(button, () => api(`/api/v1/pickups/${pickup.id}/insert`, { body: { courier: offer.courier } }));
      dialog.close();
      toast(_("%(name)s has it. The plan has a new version and is published.", { name: offer.name }), "ok");
      taken();
    } catch (error) {
      toastError(error);
    }
  };
  try {
    const found = await api(`/api/v1/pickups/${pickup.id}/offers`, { method: "POST", body: {} });
    body.lastElementChild.remove();
    if (!found.offers.length) body.append(h("div", { class: "notice tone-warn" }, icon("warning"), h("div", { class: "notice-body" }, _("No courier can fetch it in time beside what is promised. Plan the day again, or call somebody in."))));
    else body.append(h("ul", { class: "worklist" }, found.offers.map((offer, index) => row(offer, index === 0, take))));
  } catch (error) {
    body.lastElementChild.remove();
    body.append(h("div", { class: "notice tone-danger", role: "alert" }, icon("cross-circle"), h("div", { class: "notice-body" }, error.sentence || String(error))));
  }
}

/** Every [data-offer=pickup id] button of the page opens the offers. */
export function wireOffers({ pickup, taken }) {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-offer]") : null;
    const found = button && pickup(Number(button.dataset.offer));
    if (found) show(found, taken).catch(toastError);
  });
}
