// The time left to decide, next to the button that sends the decision; announced one minute before it ends, and
// when it ends.
import { h, setText, span } from "../ui/dom.js";
import { full } from "../ui/format.js";
import { leftTime } from "../ui/ticker.js";

const SOON_MS = 60_000;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export class Deadline {
  #timers = [];

  constructor(approval) {
    const expires = approval.evidence?.expires_at ?? null;
    const ends = approval.deadline_at ?? expires;
    // A picture that expires has a countdown of its own.
    const until = expires ? null : ends;
    this.notice = span("deadline-notice");
    this.notice.setAttribute("role", "status");
    const countdown = until ? [span("visually-hidden", `Open until ${full(until)}`), leftTime(until)] : null;
    this.element = h("p", { class: "deadline", hidden: !ends }, countdown, this.notice);
    if (!ends) return;
    const left = Date.parse(ends) - Date.now();
    this.#at(left - SOON_MS, "Less than a minute left to decide.", left > 0);
    this.#at(left, "The deadline has passed; this decision may be refused.", true);
  }

  close() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.notice.remove();
  }

  #at(delay, text, isWanted) {
    if (!isWanted || delay > MAX_TIMEOUT_MS) return;
    this.#timers.push(setTimeout(() => setText(this.notice, text), Math.max(0, delay)));
  }
}
