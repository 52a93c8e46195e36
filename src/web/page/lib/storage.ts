/** Returns a text that this page has stored in the browser. Null if there is none, or if the browser blocks the storage. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Stores a text in the browser; null removes it. If the browser blocks the storage or has no space, nothing is stored. */
export function writeStored(key: string, text: string | null): void {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // The page works without it.
  }
}
