// Decides a pending approval of another run in a dialog: its heading, the first page if there is one, and the form.
import { api, artifactAddress } from "../data/api.js";
import { toast } from "../ui/announce.js";
import { routeSignal, shown } from "../ui/dialog.js";
import { div, h, pictureElement } from "../ui/dom.js";
import { iconButton } from "../ui/icons.js";
import { openApproval } from "./approval.js";

/** Resolves when the dialog is closed, with or without a decision. */
export async function decideInDialog(runId, name) {
  const signal = routeSignal();
  let run;
  let approval;
  try {
    run = await api.run(runId);
    const open = run.approvals.find((item) => item.status === "pending");
    if (!open) { toast(`${name}: this approval is no longer pending`); return; }
    approval = await api.approval(runId, open.approval_id);
  } catch (problem) {
    toast(problem.message, { kind: "error" });
    return;
  }
  const page = run.artifacts.find((artifact) => artifact.name.startsWith("page-"));
  const close = iconButton("Close", "cancel", () => dialog.close());
  const panel = openApproval(runId, approval, { decided: ({ accepted }) => accepted && dialog.close() });
  const firstPage = page ? pictureElement({ class: "decide-page", src: artifactAddress(runId, page.name), alt: `First page of ${name}` }) : null;
  const dialog = h("dialog", { class: "decide-dialog", "aria-label": `${approval.title} ${name}` },
    div("viewer-bar", h("p", { class: "viewer-caption" }, name), close), div("decide-body", firstPage, panel.element));
  panel.presence.start(panel.hasDraft);
  await shown(dialog, () => null, { name: "decide", signal });
  panel.close();
}
