// The view of one approval: question, form, and why it can no longer be answered. What was entered is kept.

import { h, setText, uniqueId } from "./dom.js";
import { clearDrafts, dropDraft, loadDraft, saveDraft } from "./drafts.js";
import { SchemaForm } from "./schema-form.js";

export class QuestionView {
  #owner;
  #approval = null;
  #form = null;
  #hasInput = false;
  #title = h("h2", { part: "title", id: uniqueId("title") });
  #deadline = h("p", { class: "note", part: "deadline" });
  #banner = h("div", { part: "banner", role: "alert" });
  #asked = h("div", { class: "stack", part: "question" });
  #fields = h("div", { part: "fields" });
  #kept = h("div");
  #problem = h("p", { class: "problem", role: "alert" });
  #status = h("p", { role: "status", part: "status" });
  #draft = h("p", { class: "note" });
  #button;

  constructor(owner, onSend) {
    this.#owner = owner;
    this.#button = h("button", { type: "submit", part: "button" });
    this.#button.hidden = true;
    const form = h("form", {
      novalidate: "", class: "stack", "aria-labelledby": this.#title.id,
      submit: (event) => { event.preventDefault(); onSend(); },
      input: () => this.#save(),
      change: () => this.#save(),
      keydown: (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        onSend();
      },
    }, this.#banner, this.#asked, this.#fields, this.#problem,
    h("div", { class: "bar" }, this.#button, this.#status, this.#draft), this.#kept);
    this.element = h("section", {}, h("div", { class: "head" }, this.#title, this.#deadline), form);
    setText(this.#status, owner.text("loading"));
  }

  /** Shows an open question. A draft for an earlier version of it stays readable below. */
  ask(approval) {
    const text = (name, values) => this.#owner.text(name, values);
    const earlier = this.#hasInput ? this.#form : null;
    const form = new SchemaForm(approval.answer_schema, text);
    clearDrafts();
    const draft = loadDraft(approval);
    if (draft) form.restore(draft);
    this.#approval = approval;
    this.#form = form;
    this.#hasInput = draft !== null;
    this.#notice(earlier ? text("changed") : null);
    this.#keep(earlier);
    setText(this.#title, approval.title);
    setText(this.#deadline, approval.deadline_at
      ? text("deadline", { time: this.#owner.time(approval.deadline_at) }) : "");
    this.#asked.replaceChildren(...parts(approval, text));
    this.#fields.replaceChildren(form.element);
    setText(this.#button, text("send"));
    setText(this.#status, "");
    setText(this.#draft, draft ? text("draft") : "");
    this.#button.hidden = false;
  }

  /** Shows the outcome in place of the button; an own draft that was not sent stays readable. */
  conclude(approval, { isOwn }) {
    const text = (name, values) => this.#owner.text(name, values);
    setText(this.#title, approval.title);
    setText(this.#deadline, "");
    setText(this.#status, "");
    setText(this.#problem, "");
    this.#button.hidden = true;
    this.#approval = approval;
    if (isOwn && approval.status === "decided") {
      dropDraft(approval);
      this.#hasInput = false;
      this.#notice(text("accepted"), true);
    } else {
      this.#notice(text(approval.status, { name: approval.decided_by ?? "" }));
    }
    const draft = this.#hasInput ? this.#form : null;
    this.#fields.replaceChildren();
    this.#asked.replaceChildren(...parts(approval, text));
    this.#keep(draft);
    setText(this.#draft, "");
  }

  check() {
    setText(this.#problem, "");
    return this.#form.check();
  }

  read() { return this.#form.read(); }

  setSending(isSending) {
    // Not `disabled`, which would lose the focus.
    this.#button.setAttribute("aria-disabled", String(isSending));
    if (isSending) setText(this.#status, this.#owner.text("sending"));
    else if (this.#status.textContent === this.#owner.text("sending")) setText(this.#status, "");
  }

  /** status: of the gateway's response, "accepted", "recorded" or another. */
  accept(status) {
    dropDraft(this.#approval);
    this.#hasInput = false;
    setText(this.#draft, "");
    setText(this.#status, this.#owner.text(status));
    if (this.#approval.status === "pending") {
      this.#form.setReadOnly();
      this.#button.hidden = true;
    }
  }

  refuse(error) {
    const rest = error.status === 422 ? this.#form.show(error.errors) : [];
    const isShown = error.status === 422 && error.errors.length > 0 && rest.length === 0;
    if (!isShown) this.showError(error);
  }

  showError(error) {
    setText(this.#status, "");
    setText(this.#problem, error.message);
  }

  #save() {
    if (this.#approval?.status !== "pending") return;
    this.#hasInput = true;
    saveDraft(this.#approval, this.#form.draft());
    setText(this.#draft, this.#owner.text("draft"));
  }

  #notice(message, isGood = false) {
    this.#banner.replaceChildren(...(message
      ? [h("p", { class: isGood ? "notice good" : "notice" }, message)] : []));
  }

  #keep(form) {
    if (!form) return;
    form.setReadOnly();
    const label = h("h3", {}, this.#owner.text("draft"));
    this.#kept.replaceChildren(h("section", { class: "stack", part: "draft" }, label, form.element));
  }
}

/** Options and evidence, as far as the question has them. */
function parts(approval, text) {
  return ["options", "evidence"]
    .filter((name) => approval[name] !== null && approval[name] !== undefined)
    .map((name) => h("div", {}, h("h3", {}, text(name)), shown(approval[name])));
}

function shown(value) {
  if (typeof value === "string") return h("p", {}, value);
  const isPlain = (item) => typeof item === "string" || typeof item === "number";
  if (Array.isArray(value) && value.every(isPlain)) {
    return h("ul", {}, value.map((item) => h("li", {}, String(item))));
  }
  return h("pre", {}, JSON.stringify(value, null, 2));
}
