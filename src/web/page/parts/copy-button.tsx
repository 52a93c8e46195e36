import { useState } from 'preact/hooks';
import { useLocale } from '../lib/language.ts';

const SHOWN_MS = 2000;

/** Copies a text to the clipboard and confirms it. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const { words } = useLocale();
  const [isCopied, setCopied] = useState(false);
  async function copy(): Promise<void> {
    if (!(await copyText(text))) return;
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_MS);
  }
  return (
    <button type="button" onClick={copy}>
      <span aria-live="polite">{isCopied ? words.copied : label}</span>
    </button>
  );
}

/** Without https there is no clipboard API, and the browser may refuse its use, but a selection can be copied. */
async function copyText(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Copies a selection instead.
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  // While a dialog is open, only text inside it can be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  return isCopied;
}
