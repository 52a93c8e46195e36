import { readStored, writeStored } from './storage.ts';

const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'porter-theme';

export function chosenTheme(): Theme {
  const stored = readStored(KEY);
  return THEMES.find((theme) => theme === stored) ?? 'auto';
}

/** Shows the page in these colours, and remembers them in this browser. */
export function applyTheme(theme: Theme): void {
  writeStored(KEY, theme);
  document.documentElement.dataset.theme = theme;
}
