import { QuestionPresence, Signalbox } from "../signalbox.js";

/**
 * Reports every 15 s that this person has a question open, while the page is visible, until `close()`.
 * Others see it in `GET /v1/approvals/presence` and in the handler `presence` of `watchAll`. It locks nothing.
 */
export class Presence {
  /** `changed`: called with the presence at all questions of the tenant after every report. */
  constructor(signalbox: Signalbox, runId: string, approvalId: string,
    changed?: (questions: QuestionPresence[]) => void);
  /** The person has entered something that is not sent yet. */
  deciding(): void;
  close(): void;
}
