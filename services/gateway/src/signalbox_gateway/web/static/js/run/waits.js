// What the run waits for from outside, and how long it still waits.
import { h, replace, span } from "../ui/dom.js";
import { full } from "../ui/format.js";
import { coarseLeft } from "../ui/ticker.js";

/** "Waiting for the payment, key 4711" or "…, by callback", of a wait of the snapshot. */
export const waitText = ({ title, key, is_callback: isCallback }) =>
  `Waiting for ${title}${key ? `, key ${key}` : ""}${isCallback ? ", by callback" : ""}`;

export const pendingWaits = (snapshot) => (snapshot.waits ?? []).filter((wait) => wait.status === "pending");

export class WaitNotice {
  #shown = "";

  constructor() {
    this.element = h("div", { class: "run-waits" });
  }

  update(snapshot) {
    const waits = pendingWaits(snapshot);
    const key = waits.map((wait) => wait.wait_id).join(" ");
    if (this.#shown === key) return;
    this.#shown = key;
    replace(this.element, waits.length ? h("div", { class: "notice" }, waits.map(line)) : []);
  }
}

function line(wait) {
  return h("p", {}, h("strong", {}, waitText(wait)), ", ", span("visually-hidden", `until ${full(wait.deadline_at)}`),
    coarseLeft(wait.deadline_at), " ", h("code", {}, wait.name));
}
