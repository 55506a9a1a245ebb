// Defines <signalbox-run>, <signalbox-approval> and <signalbox-inbox>. Types: index.d.ts.

import { ApprovalElement } from "./approval-element.js";
import { InboxElement } from "./inbox-element.js";
import { RunElement } from "./run-element.js";

const ELEMENTS = { "signalbox-run": RunElement, "signalbox-approval": ApprovalElement, "signalbox-inbox": InboxElement };

for (const [name, element] of Object.entries(ELEMENTS)) {
  if (!customElements.get(name)) customElements.define(name, element);
}

export { ApprovalElement, InboxElement, RunElement };
