// Creating a schedule: its times, then the form of the pipeline's input.
import { api } from "../data/api.js";
import { may } from "../data/session.js";
import { schemaForm } from "../forms/form.js";
import { problemNotice, toast } from "../ui/announce.js";
import { div, h, replace } from "../ui/dom.js";
import { fromHere } from "../ui/place.js";

const TIMES = {
  type: "object",
  required: ["schedule_id", "cron", "time_zone", "overlap"],
  properties: {
    schedule_id: { type: "string", title: "Name", description: "Lower case letters, digits and hyphens", pattern: "^[a-z0-9]([a-z0-9\\-]{0,58}[a-z0-9])?$", maxLength: 60 },
    cron: { type: "string", title: "Cron expression", description: "Minute, hour, day of month, month, weekday", examples: ["0 6 * * mon-fri"], maxLength: 120 },
    time_zone: { type: "string", title: "Time zone", examples: ["Europe/Berlin"], maxLength: 60 },
    overlap: { title: "While an earlier run is open", enum: ["skip", "buffer_one", "buffer_all", "cancel_other", "allow_all"] },
    jitter_s: { type: "integer", title: "Jitter in seconds", description: "Delays each start at random", minimum: 0, maximum: 86_400 },
    note: { type: "string", title: "Note", maxLength: 120 },
  },
};

export async function newSchedulePage({ query }) {
  const { pipelines } = await api.pipelines();
  const form = new ScheduleForm(pipelines, query.get("pipeline"));
  return { title: "New schedule", element: form.element };
}

class ScheduleForm {
  constructor(pipelines, chosen) {
    this.pipelines = pipelines;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.times = schemaForm(TIMES, { time_zone: zone, overlap: "skip" }, { folds: true });
    this.choice = h("select", { id: "schedule-pipeline", onchange: () => this.#choose() },
      pipelines.map(({ name, title }) => h("option", { value: name, selected: name === chosen }, title)));
    this.fields = div("");
    this.problem = h("div", {});
    this.allowed = may("operator") && pipelines.length > 0;
    this.button = h("button", { type: "submit", class: "button primary", disabled: !this.allowed }, "Create the schedule");
    const refusal = may("operator") ? null : h("p", { class: "hint" }, "You need the role operator to create a schedule.");
    this.element = div("page start", div("start-form",
      h("p", { class: "crumbs" }, h("a", { href: "#/schedules" }, "Schedules")),
      h("h1", {}, "New schedule"),
      h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
        this.problem, this.times.element,
        div("field", h("label", { for: "schedule-pipeline" }, "Pipeline"), this.choice),
        this.fields, div("form-actions", this.button, refusal))));
    if (pipelines.length) this.#choose();
  }

  #choose() {
    this.pipeline = this.pipelines.find(({ name }) => name === this.choice.value) ?? this.pipelines[0];
    this.input = schemaForm(this.pipeline.input_schema, {}, { folds: true });
    replace(this.fields, this.input.element);
  }

  async #submit() {
    replace(this.problem);
    const faults = [[this.input, this.input.problems()], [this.times, this.times.problems()]];
    for (const [form, found] of faults) form.show(found);
    if (faults.some(([, found]) => found.length)) return;
    this.button.disabled = true;
    const go = fromHere();
    try {
      const { cron, ...times } = this.times.read();
      const { body } = await api.createSchedule({ ...times, cron: [cron], pipeline: this.pipeline.name, input: this.input.read() });
      toast(`${body.schedule_id} was created.`);
      go(`#/schedules/${encodeURIComponent(body.schedule_id)}`);
    } catch (problem) {
      this.#refused(problem);
    } finally { this.button.disabled = !this.allowed; }
  }

  #refused(problem) {
    const { field } = problem.facts ?? {};
    const errors = problem.errors?.length ? problem.errors : field ? [{ field, message: problem.message }] : [];
    const ofInput = errors.filter((error) => /^input\b/.test(error.field ?? ""));
    if (ofInput.length) this.input.show(ofInput, "input");
    else if (errors.length) this.times.show(errors);
    else replace(this.problem, problemNotice(problem));
  }
}
