// What can be done with the selected runs.
import { api } from "../data/api.js";
import { hasEnded } from "../data/fold.js";
import { toast } from "../ui/announce.js";
import { confirm } from "../ui/dialog.js";
import { h, setText } from "../ui/dom.js";
import { plural } from "../ui/format.js";

const AT_ONCE = 4;
const NAMED = 5;

export class BulkBar {
  #runs = [];

  /** cleared(): the selection is to be dropped; changed(): runs were cancelled. */
  constructor({ cleared, changed }) {
    Object.assign(this, { cleared, changed });
    this.count = h("span", { role: "status" });
    this.cancel = h("button", { type: "button", class: "button danger-quiet", onclick: () => this.#cancel() }, "Cancel runs");
    const clear = h("button", { type: "button", class: "button quiet", onclick: cleared }, "Clear");
    this.element = h("div", { class: "bulk", role: "group", "aria-label": "Selected runs", hidden: true }, this.count, this.cancel, clear);
  }

  show(runs) {
    this.#runs = runs;
    this.element.hidden = runs.length === 0;
    const open = this.#open();
    setText(this.count, `${runs.length} selected${open.length < runs.length ? `, ${open.length} still open` : ""}`);
    this.cancel.disabled = open.length === 0;
  }

  #open() { return this.#runs.filter((run) => !hasEnded(run)); }

  async #cancel() {
    const ids = this.#open().map((run) => run.run_id);
    const more = ids.length > NAMED ? ` and ${ids.length - NAMED} more` : "";
    const answer = await confirm({
      name: "cancel-runs", title: `Cancel ${plural(ids.length, "run")}?`,
      text: `${ids.slice(0, NAMED).join(", ")}${more}. Their current steps are stopped and cleaned up. A cancelled run cannot be resumed.`,
      action: `Cancel ${plural(ids.length, "run")}`, danger: true, reasonLabel: "Reason (visible to others)",
    });
    if (answer) await this.#send(ids, answer.reason ? { reason: answer.reason } : {});
  }

  async #send(ids, body) {
    this.cancel.disabled = true;
    const failed = [];
    const waiting = [...ids];
    const work = async () => {
      for (let id = waiting.shift(); id; id = waiting.shift()) {
        try { await api.control(id, "cancel", body); } catch (problem) { failed.push(`${id}: ${problem.message}`); }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const done = ids.length - failed.length;
    if (done) toast(`Cancellation of ${plural(done, "run")} requested.`);
    if (failed.length) toast(`${plural(failed.length, "run")} not cancelled. ${failed[0]}`, { kind: "error" });
    this.cleared();
    this.changed();
  }
}
