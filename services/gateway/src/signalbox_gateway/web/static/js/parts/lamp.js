// The status lamp: colour, shape and word together, so that the meaning does not depend on colour.
import { h, setText, span } from "../dom.js";

const ASPECTS = {
  queued: ["unlit", "Queued"], pending: ["unlit", "Waiting"], running: ["running", "Running"], attention: ["attention", "Needs you"],
  paused: ["paused", "Paused"], completed: ["clear", "Completed"], decided: ["clear", "Decided"], failed: ["danger", "Failed"],
  terminated: ["danger", "Terminated"], timed_out: ["danger", "Timed out"], expired: ["danger", "Expired"], cancelled: ["off", "Cancelled"],
};

export const statusWord = (status) => (ASPECTS[status] ?? ["unlit", status])[1];

export function lamp(status) {
  return h("span", { class: "lamp", "aria-hidden": "true", data: { aspect: (ASPECTS[status] ?? ["unlit"])[0] } });
}

/** A lamp with its word. `set(status)` changes both. */
export function statusSign(status, { large = false } = {}) {
  const light = lamp(status);
  const word = span("status-word");
  const element = h("span", { class: large ? "status large" : "status" }, light, word);
  const set = (next) => {
    light.dataset.aspect = (ASPECTS[next] ?? ["unlit"])[0];
    setText(word, statusWord(next));
  };
  set(status);
  return { element, set };
}

/** What a person should know first: an open question outranks "running". */
export function runStatus(snapshot) {
  const asked = (snapshot.approvals ?? []).some?.((approval) => approval.status === "pending");
  return asked && ["running", "queued"].includes(snapshot.status) ? "attention" : snapshot.status;
}
