// What an operator can do with a schedule: pause or resume it, start a run now, delete it.
import { api, newKey } from "../data/api.js";
import { may } from "../data/session.js";
import { toast } from "../ui/announce.js";
import { confirm } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { fromHere } from "../ui/place.js";

/** changed(): the schedule is to be read again; deleted(): it does not exist any more. */
export function scheduleControls(schedule, { changed, deleted }) {
  if (!may("operator")) return null;
  const { schedule_id: id, paused } = schedule;
  const button = (label, text, name, action, style = "button") =>
    h("button", { type: "button", class: style, "aria-label": `${label} ${id}`, onclick: guarded(action) }, icon(name), text);
  const toggle = paused
    ? button("Resume", "Resume", "play", () => api.changeSchedule(id, { paused: false, note: "" }).then(changed))
    : button("Pause", "Pause", "pause", () => api.changeSchedule(id, { paused: true }).then(changed));
  const key = newKey();
  const trigger = button("Start a run of", "Start now", "right", async () => {
    const go = fromHere();
    const { body } = await api.triggerSchedule(id, key);
    if (body.run_id) go(`#/runs/${encodeURIComponent(body.run_id)}`);
    else { toast("The run starts later: after an open one, or when a worker is free."); await changed(); }
  });
  const remove = deleted ? button("Delete", "Delete", "cancel", () => removeSchedule(id, deleted), "button danger-quiet") : null;
  const backfill = deleted ? h("a", { class: "button", href: `#/schedules/${encodeURIComponent(id)}/backfill` }, icon("schedules"), "Backfill") : null;
  return h("div", { class: "actions" }, toggle, trigger, backfill, remove);
}

async function removeSchedule(id, deleted) {
  const text = "It starts no further runs. Runs that it has started continue.";
  if (!await confirm({ name: "delete", title: `Delete ${id}?`, text, action: "Delete the schedule", danger: true })) return;
  await api.deleteSchedule(id);
  toast(`${id} was deleted.`);
  deleted();
}

/** Disables the button while its action runs, and shows a failure. */
function guarded(action) {
  return async ({ currentTarget: button }) => {
    button.disabled = true;
    try { await action(); }
    catch (problem) { toast(problem.message, { kind: "error" }); }
    finally { button.disabled = false; }
  };
}
