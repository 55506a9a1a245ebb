// The answer to any question: options and evidence as data, and a form from the answer's schema.
import { div, h } from "../dom.js";
import { schemaForm } from "../form.js";
import { dataView } from "./data-view.js";
import { pictureQuestion } from "./picture-question.js";

export class AnswerForm {
  sendLabel = "Send decision";
  tally = null;

  constructor(approval, draft = null) {
    this.form = schemaForm(approval.answer_schema, draft?.value ?? {});
    if (draft) this.form.restoreText(draft.text ?? {});
    const asked = pictureQuestion(approval.evidence);
    const parts = asked ? [] : [["Options", approval.options], ["Evidence", approval.evidence]]
      .filter(([, value]) => value !== null && value !== undefined);
    this.element = div("answer", asked,
      parts.map(([title, value]) => div("asked", h("h3", {}, title), dataView(value))), this.form.element);
  }

  problems() { return this.form.problems(); }
  show(errors) { this.form.show(errors); }
  read() { return this.form.read(); }
  draft() { return this.form.draft(); }
}
