// The inbox and the page of a run, in one script, because both show questions.
import { inboxPage as openInbox } from "./inbox/page.js";
import { runPage as openRun } from "./run/page.js";

export const inboxPage = openInbox;
export const runPage = openRun;
