// Starting a run: the form of the pipeline's input, with presets and the values of the last start.
import { api, newKey } from "../data/api.js";
import { mergePatch } from "../data/merge-patch.js";
import { keepLast } from "../data/presets.js";
import { may } from "../data/session.js";
import { schemaForm } from "../forms/form.js";
import { plainPath } from "../forms/schema.js";
import { problemNotice } from "../ui/announce.js";
import { div, h, replace, span } from "../ui/dom.js";
import { fromHere } from "../ui/place.js";
import { statusDot } from "../ui/status.js";
import { Presets } from "./presets.js";

export async function startPage({ parts: [name], query }) {
  const from = query.get("from");
  const recorded = from ? await api.input(from) : null;
  const pipeline = await api.pipeline(recorded?.pipeline ?? name);
  return { title: `Start ${pipeline.title}`, element: new StartForm(pipeline, recorded).element };
}

/** The gateway masks secrets; their fields are empty. */
function withoutSecrets(value) {
  if (value === MASK) return undefined;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutSecrets(item)]));
}

const MASK = "***";

class StartForm {
  #attempt = { input: null, key: null };

  /** recorded: the input of the run to start again, as the API returns it; null for a first start. */
  constructor(pipeline, recorded) {
    Object.assign(this, { pipeline, recorded });
    this.masked = new Set((recorded?.masked ?? []).map((path) => plainPath(path).replace(/^input\./, "")));
    this.fields = div("");
    this.problem = h("div", {});
    this.allowed = may("operator");
    this.button = h("button", { type: "submit", class: "button primary", disabled: !this.allowed }, "Start the run");
    this.presets = new Presets(pipeline.name, { current: () => this.#draft(), use: (input) => this.#fill(input) });
    this.#fill(recorded ? withoutSecrets(recorded.input) : {});
    // With the defaults of fields that the recorded input leaves out, so that only edits become part of the patch.
    this.before = recorded ? this.form.read() : null;
    const refusal = this.allowed ? null : h("p", { class: "hint" }, "You need the role operator to start a run.");
    this.element = div("page start",
      div("start-form",
        h("p", { class: "crumbs" }, h("a", { href: "#/pipelines" }, "Pipelines")),
        h("h1", {}, pipeline.title), pipeline.description ? h("p", { class: "lead" }, pipeline.description) : null,
        recorded ? this.#origin() : null,
        this.presets.element,
        h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
          this.problem, this.fields, div("form-actions", this.button, this.presets.keep, refusal))),
      stepsAside(pipeline.steps));
  }

  #origin() {
    const { run_id: runId } = this.recorded;
    const secrets = this.masked.size ? " Secrets that are left empty keep their values." : "";
    return h("p", { class: "hint" }, "With the values of ", h("a", { href: `#/runs/${encodeURIComponent(runId)}` }, runId), `.${secrets}`);
  }

  #fill(input) {
    this.form = schemaForm(this.pipeline.input_schema, input, { folds: true });
    replace(this.fields, this.form.element);
  }

  /** What is in the form, without secrets; null while it cannot be read. */
  #draft() {
    const { value } = this.form.draft();
    return Object.keys(value).length ? value : null;
  }

  async #submit() {
    replace(this.problem);
    const faults = this.form.problems().filter(({ field }) => !this.masked.has(field));
    this.form.show(faults);
    if (faults.length) return;
    this.button.disabled = true;
    const go = fromHere();
    try {
      const input = this.form.read();
      const { body } = await this.#send(input);
      const draft = this.#draft();
      if (draft) keepLast(this.pipeline.name, draft);
      go(`#/runs/${encodeURIComponent(body.run_id)}`);
    } catch (problem) {
      this.#refused(problem);
    } finally { this.button.disabled = !this.allowed; }
  }

  /** A run that is started again gets the changes only, so that its secrets stay and the two runs are linked. */
  #send(input) {
    if (!this.recorded) return api.start(this.pipeline.name, input, this.#keyFor(input));
    const patch = mergePatch(this.before, input);
    return api.retry(this.recorded.run_id, { from: "start", ...(patch ? { input: patch } : {}) }, this.#keyFor(input));
  }

  #refused(problem) {
    if (problem.errors?.some((error) => /^input\b/.test(error.field ?? ""))) this.form.show(problem.errors, "input");
    else replace(this.problem, problemNotice(problem));
  }

  /** The same input keeps its key, so a second click or a lost response does not start a second run. */
  #keyFor(input) {
    const text = JSON.stringify(input);
    if (this.#attempt.input !== text) this.#attempt = { input: text, key: newKey() };
    return this.#attempt.key;
  }
}

function stepsAside(steps) {
  if (!steps.length) return null;
  const rows = steps.map((step) => h("li", { class: "line-step", data: { status: "pending" } },
    span("line-dot", statusDot("pending")), div("line-head", span("line-title", step.title))));
  return h("aside", { class: "start-steps", "aria-labelledby": "what-happens" },
    h("h2", { id: "what-happens" }, "Steps"), h("ol", { class: "line quiet" }, rows));
}
