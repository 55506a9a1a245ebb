// Starting a run: choose a pipeline and fill in the form of its input schema.
import { api, newKey } from "../api.js";
import { problemNotice } from "../announce.js";
import { div, h, replace, span } from "../dom.js";
import { schemaForm } from "../form.js";
import { lamp } from "../parts/lamp.js";
import { may } from "../session.js";

export async function pipelinesPage() {
  const { pipelines } = await api.pipelines();
  if (pipelines.length === 1) return startPage({ parts: [pipelines[0].name] });
  const cards = pipelines.map((pipeline) => h("li", {},
    h("a", { class: "pipeline", href: `#/start/${encodeURIComponent(pipeline.name)}` },
      span("pipeline-title", pipeline.title), span("pipeline-text", pipeline.description),
      h("code", {}, pipeline.name))));
  const empty = h("p", { class: "empty" }, "No pipelines are installed. Install one on the gateway and the workers, then reload this page.");
  const list = cards.length ? h("ul", { class: "pipelines" }, cards) : empty;
  return { title: "Start a run", element: div("page narrow", h("h1", {}, "Start a run"), list) };
}

export async function startPage({ parts: [name] }) {
  const pipeline = await api.pipeline(name);
  return { title: `Start ${pipeline.title}`, element: new StartForm(pipeline).element };
}

class StartForm {
  #attempt = { input: null, key: null };

  constructor(pipeline) {
    this.pipeline = pipeline;
    this.form = schemaForm(pipeline.input_schema);
    this.problem = h("div", {});
    this.allowed = may("operator");
    this.button = h("button", { type: "submit", class: "button primary", disabled: !this.allowed }, "Start the run");
    const refusal = this.allowed ? null : h("p", { class: "hint" }, "You need the role operator to start a run.");
    this.element = div("page start",
      div("start-form",
        h("h1", {}, pipeline.title), pipeline.description ? h("p", { class: "lead" }, pipeline.description) : null,
        h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
          this.problem, this.form.element, div("form-actions", this.button, refusal))),
      stepsAside(pipeline.steps));
  }

  async #submit() {
    replace(this.problem);
    const faults = this.form.problems();
    this.form.show(faults);
    if (faults.length) return;
    this.button.disabled = true;
    try {
      const input = this.form.read();
      const { body } = await api.start(this.pipeline.name, input, this.#keyFor(input));
      location.hash = `#/runs/${encodeURIComponent(body.run_id)}`;
    } catch (problem) {
      this.#refused(problem);
    } finally { this.button.disabled = !this.allowed; }
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
  const rows = steps.map((step, index) => h("li", { class: "line-step", data: { status: "pending" } },
    span("line-lamp", lamp("pending")),
    div("line-head", h("span", { class: "plate", "aria-hidden": "true" }, index + 1), span("line-title", step.title))));
  return h("aside", { class: "start-steps", "aria-labelledby": "what-happens" },
    h("h2", { id: "what-happens" }, "Steps"), h("ol", { class: "line quiet" }, rows));
}
