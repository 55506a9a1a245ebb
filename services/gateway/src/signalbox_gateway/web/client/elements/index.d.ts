/** The types of elements/index.js, which defines the elements when it is loaded. */

import type { Approval, Decided, Run, Signalbox } from "../signalbox.js";

declare class SignalboxElement extends HTMLElement {
  /** The gateway; without it, the attributes `origin` and `token` are used. */
  signalbox: Signalbox;
}

/** `<signalbox-run run-id>` */
export class RunElement extends SignalboxElement {}

/** `<signalbox-approval run-id approval-id>` */
export class ApprovalElement extends SignalboxElement {}

/** `<signalbox-inbox runs?>` */
export class InboxElement extends SignalboxElement {}

declare global {
  interface HTMLElementTagNameMap {
    "signalbox-run": RunElement;
    "signalbox-approval": ApprovalElement;
    "signalbox-inbox": InboxElement;
  }
  interface HTMLElementEventMap {
    "signalbox-run": CustomEvent<Run>;
    "signalbox-end": CustomEvent<Run>;
    "signalbox-decided": CustomEvent<Decided>;
    "signalbox-inbox": CustomEvent<Pick<Approval, "run_id" | "approval_id" | "title">[]>;
  }
}
