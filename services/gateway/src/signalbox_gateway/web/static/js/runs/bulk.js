// What can be done with the selected runs.
import { api, newKey } from "../data/api.js";
import { hasEnded } from "../data/fold.js";
import { toast } from "../ui/announce.js";
import { confirm } from "../ui/dialog.js";
import { h, setText } from "../ui/dom.js";
import { plural } from "../ui/format.js";

const AT_ONCE = 4;
const NAMED = 5;

export class BulkBar {
  #runs = [];

  /** cleared(): the selection is to be dropped; changed(): runs were cancelled or retried. */
  constructor({ cleared, changed }) {
    Object.assign(this, { cleared, changed });
    this.count = h("span", { role: "status" });
    this.cancel = h("button", { type: "button", class: "button danger-quiet", onclick: () => this.#cancel() }, "Cancel runs");
    this.retry = h("button", { type: "button", class: "button", onclick: () => this.#retry() }, "Retry runs");
    const clear = h("button", { type: "button", class: "button quiet", onclick: cleared }, "Clear");
    this.element = h("div", { class: "bulk", role: "group", "aria-label": "Selected runs", hidden: true }, this.count, this.retry, this.cancel, clear);
  }

  show(runs) {
    this.#runs = runs;
    this.element.hidden = runs.length === 0;
    const open = this.#open();
    setText(this.count, `${runs.length} selected${open.length < runs.length ? `, ${open.length} still open` : ""}`);
    this.cancel.disabled = open.length === 0;
    this.retry.disabled = this.#retriable().length === 0;
  }

  #open() { return this.#runs.filter((run) => !hasEnded(run)); }

  #retriable() { return this.#runs.filter((run) => hasEnded(run) && run.status !== "completed"); }

  async #retry() {
    const ids = this.#retriable().map((run) => run.run_id);
    const others = this.#runs.length - ids.length;
    const answer = await confirm({
      name: "retry-runs", title: `Retry ${plural(ids.length, "run")}?`,
      text: `${named(ids)}. Each continues from its failed or last step; completed steps keep their results.`
        + (others ? ` ${plural(others, "selected run is", "selected runs are")} open or completed and not retried.` : ""),
      action: `Retry ${plural(ids.length, "run")}`,
    });
    if (!answer) return;
    const { done, failed } = await this.#send(ids, (id) => api.retry(id, { from: "failed" }, newKey()));
    if (done) toast(`${plural(done, "run")} retried.`, { kind: "good" });
    if (failed.length) toast(`${plural(failed.length, "run")} not retried. ${failed[0]}`, { kind: "error" });
  }

  async #cancel() {
    const ids = this.#open().map((run) => run.run_id);
    const answer = await confirm({
      name: "cancel-runs", title: `Cancel ${plural(ids.length, "run")}?`,
      text: `${named(ids)}. Their current steps are stopped and cleaned up. Cancelled runs can be retried.`,
      action: `Cancel ${plural(ids.length, "run")}`, danger: true, reasonLabel: "Reason (visible to others)",
    });
    if (!answer) return;
    const body = answer.reason ? { reason: answer.reason } : {};
    const { done, failed } = await this.#send(ids, (id) => api.control(id, "cancel", body));
    if (done) toast(`Cancellation of ${plural(done, "run")} requested.`);
    if (failed.length) toast(`${plural(failed.length, "run")} not cancelled. ${failed[0]}`, { kind: "error" });
  }

  /** Sends one request a run, a few at a time. Returns {done, failed}: a count, and the refusals. */
  async #send(ids, request) {
    this.cancel.disabled = this.retry.disabled = true;
    const failed = [];
    const waiting = [...ids];
    const work = async () => {
      for (let id = waiting.shift(); id; id = waiting.shift()) {
        try { await request(id); } catch (problem) { failed.push(`${id}: ${problem.message}`); }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.cleared();
    this.changed();
    return { done: ids.length - failed.length, failed };
  }
}

const named = (ids) => ids.slice(0, NAMED).join(", ") + (ids.length > NAMED ? ` and ${ids.length - NAMED} more` : "");
