// The links that narrow the list of runs to a status.
import { h } from "../ui/dom.js";
import { statusWord } from "../ui/status.js";
import { withStatus } from "./query.js";

const QUICK = ["running", "waiting", "completed", "failed", "cancelled"];

/** text: of the search; query: what it means. */
export function statusFilters(text, query) {
  const current = query.status.length === 1 ? query.status[0] : query.status.length ? null : "";
  const link = (status, word) => {
    const q = withStatus(text, status);
    return h("a", { href: q ? `#/?q=${encodeURIComponent(q)}` : "#/", "aria-current": status === current ? "true" : null }, word);
  };
  return [link("", "All"), QUICK.map((status) => link(status, status === "waiting" ? "Needs you" : statusWord(status)))];
}
