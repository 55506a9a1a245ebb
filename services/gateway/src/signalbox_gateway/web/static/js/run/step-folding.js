// Which steps of a long list are folded. Pure.

const MAX_SHOWN = 12;
const MIN_FOLDED = 3;
const IMPORTANT = new Set(["running", "attention", "failed", "cancelled"]);
// With hundreds of steps at work, those after the first dozen are folded too.
const MAX_IMPORTANT = 12;

/**
 * The folded ranges {from, to} (`to` exclusive) by their first index.
 *
 * A list of at most 12 steps is shown whole. Of a longer one, the first and the last step are shown, the steps
 * that are running, failed or waiting, and their neighbours; `opened` holds the names of steps to show in any case.
 */
export function foldedRanges(steps, opened = new Set()) {
  const ranges = new Map();
  if (steps.length <= MAX_SHOWN) return ranges;
  const isShown = shownIndexes(steps);
  for (let from = 0; from < steps.length;) {
    let to = from;
    while (to < steps.length && !isShown.has(to) && !opened.has(steps[to].name)) to += 1;
    if (to - from >= MIN_FOLDED) ranges.set(from, { from, to });
    from = to + 1;
  }
  return ranges;
}

function shownIndexes(steps) {
  const shown = new Set([0, steps.length - 1]);
  const isImportant = (index) => IMPORTANT.has(steps[index].status);
  const important = [...steps.keys()].filter(isImportant).slice(0, MAX_IMPORTANT);
  for (const index of important) for (const near of [index - 1, index, index + 1]) shown.add(near);
  const next = steps.findIndex((step) => step.status === "pending");
  if (important.length === 0 && next > 0) shown.add(next - 1).add(next);
  return shown;
}
