// The link to a run's executions in Temporal's UI, if the gateway has its address and the user the role for it.
import { session } from "../data/session.js";
import { outsideLink } from "../ui/dom.js";

/** Null without a UI, and for a workflow of other code, which has another id. */
export function temporalLink(runId, { plain }) {
  const url = session()?.temporal_run_url;
  const link = url && !plain ? outsideLink(url.replace("{run_id}", encodeURIComponent(runId))) : null;
  if (link) link.textContent = "Open in Temporal";
  return link;
}
