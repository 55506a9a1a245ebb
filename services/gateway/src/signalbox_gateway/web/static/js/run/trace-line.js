// The trace of a run: its id to copy, and a link where the deployment has a tracing backend.
import { session } from "../data/session.js";
import { copyText } from "../ui/clipboard.js";
import { h, outsideLink } from "../ui/dom.js";
import { icon } from "../ui/icons.js";

/** The line below the timeline for a trace id. */
export function traceLine(traceId) {
  const copy = h("button", { type: "button", class: "button", onclick: () => copyText(traceId, "Trace id") }, icon("copy"), "Copy");
  const link = outsideLink((session()?.trace_url ?? "").replace("{trace_id}", traceId));
  if (link) link.textContent = "Open trace";
  return h("p", { class: "actions" }, "Trace ", h("code", {}, traceId), copy, link);
}
