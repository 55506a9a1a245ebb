// Copies text to the clipboard.
import { toast } from "./announce.js";

/** what: the thing that was copied, or the label of a button that begins with "Copy". */
export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(what.startsWith("Copy") ? "Copied" : `${what} copied`);
  } catch { toast(`Copying failed: ${text.slice(0, 200)}`); }
}
