// JSON merge patches (RFC 7396). Pure.

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** The patch that turns `before` into `after`; undefined when they are equal. */
export function mergePatch(before, after) {
  if (!isObject(before) || !isObject(after)) return JSON.stringify(before) === JSON.stringify(after) ? undefined : after;
  const patch = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const change = name in after ? mergePatch(before[name], after[name]) : null;
    if (change !== undefined) patch[name] = change;
  }
  return Object.keys(patch).length ? patch : undefined;
}
