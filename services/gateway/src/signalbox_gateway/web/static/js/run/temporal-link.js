// The executions of a run in Temporal's UI, if the deployment has one and the reader operates runs.
import { session } from "../data/session.js";
import { outsideLink } from "../ui/dom.js";

/** Null without a UI, and for a workflow of other code, which has another id. */
export function temporalLink(runId, { plain }) {
  const url = session()?.temporal_run_url;
  const link = url && !plain ? outsideLink(url.replace("{run_id}", encodeURIComponent(runId))) : null;
  if (link) link.textContent = "Open in Temporal";
  return link;
}
