/** Two lists: what is aboard, and acts that came back. */
import { ago, formatTime, now } from "../clock.js";
import { chip, h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { dismiss } from "../outbox.js";
import { actName } from "../strip.js";
import { carried, etas, mostUrgent, tubeCount } from "./courier-model.js";
import { openSign } from "./courier-sign.js";
import * as store from "./courier-store.js";
import { amount, bandOf, classChip, coldSteps, siteName, swap, tempBadge, useByChip, waitingChip } from "./courier-words.js";

export function paintAboard(list, app) {
  const { day } = app;
  const loads = carried(day).map((load) => ({ load, urgent: mostUrgent(load) })).sort((a, b) => (a.urgent ? Date.parse(a.urgent.at) : Infinity) - (b.urgent ? Date.parse(b.urgent.at) : Infinity));
  const tubes = loads.reduce((sum, { load }) => sum + tubeCount(load), 0);
  swap(list, [
    h("div", { class: "courier-head" }, h("h2", { class: "text-xl" }, _("Aboard")), h("div", { class: "muted" }, amount(loads.length, tubes))),
    loads.length ? null : h("div", { class: "empty" }, icon("box"), h("h3", {}, _("Nothing aboard")), h("p", {}, _("Boxes that you sign for appear here until they are delivered."))),
    ...loads.map(({ load, urgent }) => aboard(app, load, urgent)),
  ]);
}

function aboard(app, load, urgent) {
  const { day } = app;
  const left = day.route.filter((stop) => stop.state === "planned");
  const stop = left.find((one) => one.site === load.destination);
  const eta = stop ? etas(day, left, now().getTime())[stop.id] : null;
  const late = eta && urgent && eta > Date.parse(urgent.at);
  return h("article", { class: "card", "data-load": load.box },
    h("div", { class: "card-head" }, h("h3", {}, load.box || load.number), load.waiting ? waitingChip() : null, load.priority !== "routine" ? chip(_("Urgent"), "danger", "bolt") : null),
    h("div", { class: "card-body stack-sm" },
      h("div", { class: "text-lg" }, icon("arrow-right"), " ", load.destination ? siteName(day, load.destination) : _("Destination not known on this phone yet")),
      h("div", { class: "muted" }, [load.departed_at ? _("With you since %(at)s", { at: formatTime(load.departed_at) }) : null, _("Tubes: %(n)s", { n: tubeCount(load) }), eta ? _("expected there %(at)s", { at: formatTime(new Date(eta)) }) : null].filter(Boolean).join(" · ")),
      h("div", { class: "chips" }, tempBadge(day, load) || classChip(load), urgent ? useByChip(urgent.at) : null),
      !tempBadge(day, load) && bandOf(load) ? h("div", { class: "muted" }, _("No logger reports this box.")) : null,
      late ? h("div", { class: "notice tone-danger" }, icon("hourglass"), h("div", { class: "notice-body" }, _("Tube %(tube)s will expire before it arrives. Go there first, or call the laboratory.", { tube: urgent.accession }))) : null,
      coldSteps(day, load)));
}

const SIGN_AGAIN = new Set(["pin_wrong", "pin_locked", "signer_elsewhere", "signer_role", "seal_tail_wrong", "seal_too_short", "user_unknown", "other_party_missing", "seal_now_needed", "seal_used", "number_check_failed", "label_number_voided"]);

function advice(problem) {
  if (problem.answer.status === "review") return _("It is kept, and the office looks at it with both sides’ facts. You need not do anything. Keep the box with you if it is with you.");
  if (SIGN_AGAIN.has(problem.answer.code)) return _("The handover is not on record yet. Put right what is said above and sign again: the other person types the PIN, or you type the last characters of the seal.");
  return {
    handover_count_differs: _("Count again at the box. Then open the stop, refuse what is not there, and sign again."),
    wrong_destination: _("Keep the box and bring it to its own laboratory."),
    consignment_unknown: _("Call dispatch and read them the number."),
    box_empty: _("The site has not sealed this box on record. Ask them to seal it, or call them."),
    act_in_future: _("Set the clock of the phone, then do it again."),
  }[problem.answer.code] || _("Call dispatch and tell them what happened. They see the number and the time.");
}

export function paintMessages(list, app) {
  const { day, problems } = app;
  swap(list, [
    h("div", { class: "courier-head" }, h("h2", { class: "text-xl" }, _("Messages"))),
    problems.length ? null : h("div", { class: "empty" }, icon("check-circle"), h("h3", {}, _("Everything is in order")), h("p", {}, _("What the server does not take comes back here, with what to do."))),
    ...problems.map((problem) => {
      const { answer, act } = problem;
      const review = answer.status === "review";
      const again = act && act.type === "hand_over" && SIGN_AGAIN.has(answer.code);
      return h("article", { class: `card tone-${review ? "hold" : "danger"} message`, "data-problem": problem.uuid },
        h("div", { class: "card-head" }, h("h3", {}, [actName(problem.type), problem.code].filter(Boolean).join(" · ")), chip(review ? _("In review") : _("Not taken"), review ? "hold" : "danger", review ? "eye" : "cross-circle")),
        h("div", { class: "card-body stack-sm" },
          h("p", { class: "text-lg" }, answer.sentence),
          act ? h("p", { class: "muted" }, [siteName(day, act.site), formatTime(act.occurred_at), ago(act.occurred_at)].join(" · ")) : null,
          h("p", {}, advice(problem)),
          h("div", { class: "row-sm" },
            again ? h("button", { class: "btn btn-primary btn-thumb", type: "button", onclick: () => signAgain(app, problem) }, icon("signature"), _("Sign again")) : null,
            h("button", { class: "btn btn-thumb", type: "button", onclick: () => settle(app, problem.uuid) }, icon("check"), _("Understood")))));
    }),
  ]);
}

async function settle(app, id) {
  await dismiss(id);
  await store.dropSettled(id);
  await app.refresh();
}

async function signAgain(app, problem) {
  if (await openSign(app, { again: problem.act })) await settle(app, problem.uuid);
}
