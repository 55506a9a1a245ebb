// <signalbox-inbox>: what waits for a decision, and the question that is chosen. With `runs`, of these runs only.

import { InboxStore } from "../state/inbox-store.js";
import { RunsStore, openApprovals } from "../state/runs-store.js";
import { SignalboxElement } from "./base-element.js";
import { h, setText } from "./dom.js";

/** Emits `signalbox-inbox` with the open approvals whenever they change. */
export class InboxElement extends SignalboxElement {
  static observedAttributes = ["runs", "origin", "token"];

  start() {
    const runs = this.getAttribute("runs");
    const view = new InboxView(this);
    this.shadowRoot.replaceChildren(view.element);
    const ids = runs?.split(/\s+/).filter(Boolean);
    const store = ids ? new RunsStore(this.signalbox, ids) : new InboxStore(this.signalbox);
    const isLoaded = () => (ids ? ids.every((id) => store.state.runs[id]) : store.state.isLoaded);
    const update = () => view.show({
      approvals: ids ? openApprovals(store.state.runs) : store.state.approvals,
      isLoaded: isLoaded(), error: store.state.error,
    });
    update();
    const stop = store.subscribe(update);
    return () => {
      stop();
      view.close();
    };
  }
}

const keyOf = (approval) => `${approval.run_id}/${approval.approval_id}`;

class InboxView {
  #owner;
  #status = h("p", { class: "note", role: "status", part: "status" });
  #list = h("ul", { class: "stack", part: "list" });
  #items = new Map();
  #shown = "";
  #state = null;

  constructor(owner) {
    this.#owner = owner;
    this.element = h("section", {}, this.#status, this.#list);
  }

  show(state) {
    const { approvals, isLoaded, error } = state;
    this.#state = state;
    const open = new Map(approvals.map((approval) => [keyOf(approval), approval]));
    for (const [key, item] of this.#items) {
      // A question that is being answered stays, with its outcome and the draft, until it is folded.
      if (!open.has(key) && !item.isExpanded) this.#remove(key);
    }
    for (const [key, approval] of open) if (!this.#items.has(key)) this.#add(key, approval);
    const waiting = this.#items.size > 0 ? "" : this.#owner.text(isLoaded ? "empty" : "loading");
    setText(this.#status, error ? error.message : waiting);
    const shown = [...open.keys()].join(" ");
    if (isLoaded && shown !== this.#shown) this.#owner.emit("inbox", approvals);
    this.#shown = shown;
  }

  close() { for (const key of [...this.#items.keys()]) this.#remove(key); }

  #add(key, approval) {
    const item = new InboxItem(this.#owner, approval, () => this.show(this.#state));
    this.#items.set(key, item);
    this.#list.append(item.element);
  }

  #remove(key) {
    this.#items.get(key).element.remove();
    this.#items.delete(key);
  }
}

/** A question of the list; its button unfolds the approval. */
class InboxItem {
  isExpanded = false;
  #owner;
  #approval;
  #question = null;
  #button;

  constructor(owner, approval, onToggle) {
    this.#owner = owner;
    this.#approval = approval;
    const click = () => { this.#toggle(); onToggle(); };
    this.#button = h("button", { type: "button", class: "item", part: "item", "aria-expanded": "false", click },
      approval.title);
    this.element = h("li", {}, this.#button);
  }

  #toggle() {
    this.isExpanded = !this.isExpanded;
    this.#button.setAttribute("aria-expanded", String(this.isExpanded));
    if (!this.isExpanded) {
      this.#question?.remove();
      return;
    }
    const inherited = [...this.#owner.attributes].filter(({ name }) => /^(text-|theme$)/.test(name));
    this.#question = h("signalbox-approval", {
      "run-id": this.#approval.run_id, "approval-id": this.#approval.approval_id,
      ...Object.fromEntries(inherited.map(({ name, value }) => [name, value])),
    });
    this.#question.signalbox = this.#owner.signalbox;
    this.element.append(this.#question);
  }
}
