// Creating a schedule: its times, then the form of the pipeline's input.
import { api } from "../data/api.js";
import { may } from "../data/session.js";
import { schemaForm } from "../forms/form.js";
import { problemNotice, toast } from "../ui/announce.js";
import { div, h, replace } from "../ui/dom.js";
import { fromHere } from "../ui/place.js";

const TIMES = {
  type: "object",
  required: ["schedule_id", "overlap"],
  properties: {
    schedule_id: { type: "string", title: "Name", description: "Lower case letters, digits and hyphens", pattern: "^[a-z0-9]([a-z0-9\\-]{0,58}[a-z0-9])?$", maxLength: 60 },
    overlap: { title: "While an earlier run is open", enum: ["skip", "buffer_one", "buffer_all", "cancel_other", "allow_all"] },
    jitter_s: { type: "integer", title: "Jitter in seconds", description: "Delays each start at random", minimum: 0, maximum: 86_400 },
    note: { type: "string", title: "Note", maxLength: 120 },
  },
};

const CRON = {
  type: "object",
  required: ["cron", "time_zone"],
  properties: {
    cron: { type: "string", title: "Cron expression", description: "Minute, hour, day of month, month, weekday", examples: ["0 6 * * mon-fri"], maxLength: 120 },
    time_zone: { type: "string", title: "Time zone", examples: ["Europe/Berlin"], maxLength: 60 },
  },
};

const INTERVAL = {
  type: "object",
  required: ["every_s", "unit"],
  properties: {
    every_s: { type: "integer", title: "Every", minimum: 1, maximum: 31_536_000 },
    unit: { title: "Unit", enum: ["seconds", "minutes", "hours", "days"] },
  },
};

const SECONDS = { seconds: 1, minutes: 60, hours: 3_600, days: 86_400 };

export async function newSchedulePage({ query }) {
  const { pipelines } = await api.pipelines();
  const form = new ScheduleForm(pipelines, query.get("pipeline"));
  return { title: "New schedule", element: form.element };
}

class ScheduleForm {
  constructor(pipelines, chosen) {
    this.pipelines = pipelines;
    this.times = schemaForm(TIMES, { overlap: "skip" }, { folds: true });
    this.kind = h("select", { id: "schedule-kind", onchange: () => this.#chooseKind() },
      h("option", { value: "cron" }, "At times of a cron expression"), h("option", { value: "interval" }, "At an interval"));
    this.rhythmFields = div("");
    this.#chooseKind();
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
        div("field", h("label", { for: "schedule-kind" }, "Starts runs"), this.kind),
        this.rhythmFields,
        div("field", h("label", { for: "schedule-pipeline" }, "Pipeline"), this.choice),
        this.fields, div("form-actions", this.button, refusal))));
    if (pipelines.length) this.#choose();
  }

  #choose() {
    this.pipeline = this.pipelines.find(({ name }) => name === this.choice.value) ?? this.pipelines[0];
    this.input = schemaForm(this.pipeline.input_schema, {}, { folds: true });
    replace(this.fields, this.input.element);
  }

  #chooseKind() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.rhythm = this.kind.value === "cron" ? schemaForm(CRON, { time_zone: zone }) : schemaForm(INTERVAL, { unit: "hours" });
    replace(this.rhythmFields, this.rhythm.element);
  }

  #readRhythm() {
    const { cron, every_s: every, unit, ...others } = this.rhythm.read();
    return cron === undefined ? { every_s: every * SECONDS[unit], ...others } : { cron: [cron], ...others };
  }

  async #submit() {
    replace(this.problem);
    const faults = [this.input, this.rhythm, this.times].map((form) => [form, form.problems()]);
    for (const [form, found] of faults) form.show(found);
    if (faults.some(([, found]) => found.length)) return;
    this.button.disabled = true;
    const go = fromHere();
    try {
      const settings = { ...this.times.read(), ...this.#readRhythm() };
      const { body } = await api.createSchedule({ ...settings, pipeline: this.pipeline.name, input: this.input.read() });
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
    const ofRhythm = errors.filter((error) => /^(?:cron|time_zone|every_s)\b/.test(error.field ?? ""));
    if (ofInput.length) this.input.show(ofInput, "input");
    else if (ofRhythm.length) this.rhythm.show(ofRhythm);
    else if (errors.length) this.times.show(errors);
    else replace(this.problem, problemNotice(problem));
  }
}
