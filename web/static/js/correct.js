/** Declaring an entry of the record wrong: asks why, sends the act, shows the record as it is then. */
import { submit } from "./acts.js";
import { askInWords } from "./ask.js";
import { _ } from "./i18n.js";
import { toast } from "./toast.js";

const LONGEST = 500;

/** subject: {specimen_id} or {consignment}; event: its number in the stream. */
export async function declareWrong(subject, event, title) {
  const question = {
    title: _("Declare wrong: %(entry)s", { entry: title }),
    text: _("The entry stays in the record. Your name, the time and the reason are put beside it."),
    label: _("What was wrong?"), action: _("Declare wrong"), longest: LONGEST, danger: true,
  };
  const answer = await askInWords(question, (reason) => submit("correct", { subject, payload: { event, reason } }));
  if (!answer) return;
  if (answer.status === "done" || answer.status === "duplicate") window.location.reload();
  else toast(answer.sentence, answer.status === "waiting" ? "warn" : "danger");
}
