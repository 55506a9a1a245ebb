// The inputs with which a pipeline was started last, and presets with a name; kept in this browser until signing out.
import { store, stored } from "../ui/preferences.js";

const PREFIX = "signalbox.preset/";
const MAX_PRESETS = 12;

/** {last: input or null, named: {name: input}}. */
export function presetsOf(pipeline) {
  try {
    return { last: null, named: {}, ...JSON.parse(stored(PREFIX + pipeline) ?? "{}") };
  } catch { return { last: null, named: {} }; }
}

export function keepLast(pipeline, input) {
  store(PREFIX + pipeline, JSON.stringify({ ...presetsOf(pipeline), last: input }));
}

/** Keeps the newest dozen. */
export function keepPreset(pipeline, name, input) {
  const { last, named } = presetsOf(pipeline);
  const { [name]: _, ...others } = named;
  const kept = Object.entries({ ...others, [name]: input }).slice(-MAX_PRESETS);
  store(PREFIX + pipeline, JSON.stringify({ last, named: Object.fromEntries(kept) }));
}

export function dropPreset(pipeline, name) {
  const { last, named } = presetsOf(pipeline);
  const { [name]: _, ...others } = named;
  store(PREFIX + pipeline, JSON.stringify({ last, named: others }));
}

export function clearPresets() {
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) localStorage.removeItem(key);
  } catch { /* nothing was stored */ }
}
