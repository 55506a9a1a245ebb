// The state of something: colour, shape and word together, so that the meaning does not depend on colour.
import { h, setText, span } from "./dom.js";

const ASPECTS = {
  queued: ["unlit", "Queued"], blocked: ["blocked", "Blocked"], pending: ["unlit", "Waiting"], running: ["running", "Running"], attention: ["attention", "Needs you"],
  paused: ["paused", "Paused"], completed: ["clear", "Completed"], decided: ["clear", "Decided"], failed: ["danger", "Failed"],
  terminated: ["danger", "Terminated"], timed_out: ["danger", "Timed out"], expired: ["danger", "Expired"], vetoed: ["danger", "Vetoed"], cancelled: ["off", "Cancelled"],
};

export const statusWord = (status) => (ASPECTS[status] ?? ["unlit", status])[1];

export function statusDot(status) {
  return h("span", { class: "dot", "aria-hidden": "true", data: { aspect: (ASPECTS[status] ?? ["unlit"])[0] } });
}

/** A dot with its word. `set(status, text)` changes both; without a text, the word is the status's own. */
export function statusSign(status, { large = false } = {}) {
  const light = statusDot(status);
  const word = span("status-word");
  const element = h("span", { class: large ? "status large" : "status" }, light, word);
  const set = (next, text = statusWord(next)) => {
    light.dataset.aspect = (ASPECTS[next] ?? ["unlit"])[0];
    setText(word, text);
  };
  set(status);
  return { element, set };
}

