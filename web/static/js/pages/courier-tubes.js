/** The tubes of one box: which are checked, and which the courier does not take along, each with a coded reason. */
import { chip, fill, h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { reasonName, sheet } from "./courier-sheet.js";

export function openTubes(visit, load, part) {
  const { day } = visit.app;
  const body = h("div", { class: "stack-sm" });
  const scan = visit.note.boxes[load.box];
  const paint = () => fill(body, part.giving ? null : h("p", { class: "muted" }, _("A refused tube stays here and comes off the manifest, with the reason you choose. When you sign you state the seal that is on the box then.")),
    ...load.tubes.map((tube) => row(tube)));
  const row = (tube) => {
    const code = tube.accession;
    const refused = scan.refused[code];
    const state = refused ? chip(reasonName(day, refused), "danger", "cross-circle") : scan.tubes[code] ? chip(_("Checked"), "ok", "check") : chip(_("Not checked"), "neutral", "question");
    return h("div", { class: "tube-row", "data-tube": code },
      h("div", { class: "between" }, h("span", { class: "code strong" }, code), state),
      part.giving ? null : h("select", { class: "select", "aria-label": _("Refuse %(tube)s because…", { tube: code }), onchange: (event) => choose(code, event.target.value) },
        h("option", { value: "" }, _("Goes along")), day.reasons.map((reason) => h("option", { value: reason.code, selected: reason.code === refused || null }, reasonName(day, reason.code)))));
  };
  const choose = async (code, reason) => {
    if (reason) scan.refused[code] = reason;
    else delete scan.refused[code];
    await visit.save();
    paint();
  };
  paint();
  const done = h("button", { class: "btn btn-primary", type: "button", "data-close": true }, icon("check"), _("Finished"));
  sheet(_("Tubes in box %(box)s", { box: load.box }), body, [done]);
}
