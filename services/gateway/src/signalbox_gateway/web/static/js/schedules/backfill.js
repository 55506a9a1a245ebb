// Starting the runs of past times of a schedule, for example after it was paused.
import { api } from "../data/api.js";
import { may } from "../data/session.js";
import { schemaForm } from "../forms/form.js";
import { problemNotice, toast } from "../ui/announce.js";
import { div, h, replace } from "../ui/dom.js";
import { fromHere } from "../ui/place.js";

const PERIOD = {
  type: "object",
  required: ["from", "to", "overlap"],
  properties: {
    from: { type: "string", format: "signalbox-instant", title: "From", description: "In your time zone" },
    to: { type: "string", format: "signalbox-instant", title: "To", description: "In your time zone; past" },
    overlap: { title: "While an earlier run is open", enum: ["buffer_all", "allow_all", "buffer_one", "cancel_other", "skip"] },
  },
};

export async function backfillPage({ parts: [id] }) {
  const form = schemaForm(PERIOD, { overlap: "buffer_all" });
  const problem = h("div", {});
  const allowed = may("operator");
  const button = h("button", { type: "submit", class: "button primary", disabled: !allowed }, "Start the runs");
  const refusal = allowed ? null : h("p", { class: "hint" }, "You need the role operator to start runs.");
  const address = `#/schedules/${encodeURIComponent(id)}`;

  async function submit() {
    replace(problem);
    const faults = form.problems();
    form.show(faults);
    if (faults.length) return;
    button.disabled = true;
    const go = fromHere();
    try {
      const { body } = await api.backfillSchedule(id, form.read());
      toast(startedText(body.times));
      go(address);
    } catch (refused) {
      const { field } = refused.facts ?? {};
      const errors = refused.errors?.length ? refused.errors : field ? [{ field, message: refused.message }] : [];
      if (errors.length) form.show(errors);
      else replace(problem, problemNotice(refused));
    } finally { button.disabled = !allowed; }
  }

  const element = div("page start", div("start-form",
    h("p", { class: "crumbs" }, h("a", { href: "#/schedules" }, "Schedules"), " / ", h("a", { href: address }, id)),
    h("h1", {}, "Backfill"),
    h("p", {}, "Starts the runs of past times of this schedule. A time whose run was started before starts no second one."),
    h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); submit(); } }, problem, form.element, div("form-actions", button, refusal))));
  return { title: `Backfill ${id}`, element };
}

function startedText(times) {
  if (times === 0) return "The schedule has no times in this period.";
  return times === 1 ? "The run of 1 time starts." : `The runs of ${times} times start.`;
}
