/**
 * Dragging a stop on the time line (or something left out onto it). What the drop would do stands beside the pointer
 * before it is let go; a place that breaks a rule is red and says which. Escape takes it back. Fingers scroll: on a
 * touch screen the button "Move to…" does the same.
 */
import { h, icon, fill } from "../dom.js";
import { _ } from "../i18n.js";
import { toast, toastError } from "../toast.js";
import { edit, effectsOf, effectWords } from "./dispatch-edit.js";

const NEAR = 6;

/** What a stop of the time line carries: what is fetched there, else what is handed over. */
function cargo(block, plan) {
  const route = plan.routes.find((one) => one.courier === block.closest("[data-courier]").dataset.courier);
  const stop = route && route.stops[Number(block.dataset.stop)];
  if (!stop) return null;
  const picked = stop.picked.map((one) => one.request);
  const site = plan.sites[stop.site];
  return {
    name: site ? site.name : stop.site,
    requests: picked.length ? picked : stop.delivered.map((one) => one.request),
    deliveries: !picked.length,
    courier: route.courier,
  };
}

class Drag {
  constructor(event, load, gantt) {
    this.load = load;
    this.gantt = gantt;
    this.from = [event.clientX, event.clientY];
    this.options = null;
    this.begun = false;
    this.place = null;
    this.effect = null;
  }

  begin() {
    this.begun = true;
    this.ghost = h("div", { class: "drag-ghost", role: "status", "aria-live": "polite" });
    document.body.append(this.ghost);
    document.body.classList.add("is-dragging");
    effectsOf(this.load.requests, this.load.deliveries).then((found) => {
      this.options = new Map(found.couriers.map((one) => [one.courier, one]));
      this.look();
    }, (error) => {
      this.end();
      toastError(error);
    });
  }

  move(event) {
    this.at = [event.clientX, event.clientY];
    if (!this.begun && Math.hypot(event.clientX - this.from[0], event.clientY - this.from[1]) < NEAR) return;
    if (!this.begun) this.begin();
    event.preventDefault();
    this.look();
  }

  look() {
    if (!this.begun || !this.at) return;
    const place = this.gantt().hit(...this.at);
    const option = place && this.options && this.options.get(place.courier);
    this.place = place;
    this.effect = option ? this.effectAt(option, place) : null;
    this.gantt().target(place, this.effect ? this.effect.fits : undefined);
    this.say(option);
    this.ghost.style.left = `${Math.min(this.at[0] + 16, window.innerWidth - 330)}px`;
    this.ghost.style.top = `${Math.min(this.at[1] + 18, window.innerHeight - 120)}px`;
  }

  effectAt(option, place) {
    if (this.load.deliveries && place.courier !== this.load.courier) return option.best;
    return option.places[place.before] || option.best;
  }

  say(option) {
    const effect = this.effect;
    const head = h("strong", {}, option ? `${this.load.name} → ${option.name}` : this.load.name);
    const tone = effect && !effect.fits ? "cross-circle" : "check";
    const words = effect ? h("span", { class: "drag-words" }, icon(tone), effectWords(effect)) : h("span", {}, this.options ? _("Drop it on a courier's line.") : "…");
    this.ghost.classList.toggle("is-refused", Boolean(effect && !effect.fits));
    fill(this.ghost, head, words);
  }

  async drop() {
    const { effect, place, load } = this;
    const waiting = this.begun && place && !this.options;
    this.end();
    if (waiting) toast(_("It was let go before its effect was known; nothing was moved."), "info");
    if (!effect || effect.same) return;
    if (!effect.fits) {
      toast(effect.broken.join(" "), "danger");
      return;
    }
    const within = load.deliveries && place.courier === load.courier;
    await edit({ action: "move", requests: load.requests, courier: place.courier, before: effect.before, deliveries: within });
  }

  end() {
    if (this.ghost) this.ghost.remove();
    document.body.classList.remove("is-dragging");
    if (this.begun) this.gantt().target(null);
  }
}

/** `plan()` and `gantt()` give what the page shows now. */
export function wireDrag({ plan, gantt }) {
  let drag = null;
  document.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch" || !document.getElementById("plan").dataset.mayEdit || !gantt()) return;
    const target = event.target instanceof Element ? event.target : null;
    const block = target && target.closest("#gantt .gantt-stop");
    const grip = target && target.closest("[data-drag]");
    const load = block ? cargo(block, plan()) : grip ? { name: grip.dataset.name, requests: [grip.dataset.drag], deliveries: false } : null;
    if (!load || !load.requests.length) return;
    event.preventDefault();
    drag = new Drag(event, load, gantt);
  });
  document.addEventListener("pointermove", (event) => drag && drag.move(event));
  document.addEventListener("pointerup", () => {
    const ended = drag;
    drag = null;
    if (ended && ended.begun) {
      document.addEventListener("click", (event) => event.stopPropagation(), { capture: true, once: true });
      setTimeout(() => document.dispatchEvent(new Event("drag:over")), 0);
      ended.drop().catch(toastError);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !drag) return;
    drag.end();
    drag = null;
  });
}
