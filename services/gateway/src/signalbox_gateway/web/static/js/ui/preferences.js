// Preferences that are kept in this browser. Without storage they last until the page is closed.

const kept = new Map();

export function stored(key) {
  try { return localStorage.getItem(key); } catch { return kept.get(key) ?? null; }
}

/** Stores a text, or removes it with null. */
export function store(key, text) {
  kept.set(key, text);
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch { /* storage is disabled or full */ }
}
