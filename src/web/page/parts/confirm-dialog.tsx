import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { errorText, useLocale } from '../lib/language.ts';
import { Dialog } from './dialog.tsx';
import { ErrorText } from './error-text.tsx';

interface ConfirmDialogProps {
  readonly title: string;
  /** The text of the button. */
  readonly action: string;
  /** The text that the user must type to confirm. */
  readonly confirmText?: string;
  readonly run: () => Promise<void>;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** Asks before something is removed. Stays open with the error if it fails. */
export function ConfirmDialog({ title, action, confirmText, run, onClose, children }: ConfirmDialogProps) {
  const locale = useLocale();
  const { words } = locale;
  const [typed, setTyped] = useState('');
  const [error, setError] = useState('');
  const [isRunning, setRunning] = useState(false);
  const inputId = useId();
  async function confirm(event: Event): Promise<void> {
    event.preventDefault();
    setRunning(true);
    try {
      await run();
      onClose();
    } catch (cause) {
      setError(errorText(locale, cause));
      setRunning(false);
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="stack" onSubmit={confirm}>
        {children}
        {confirmText !== undefined && (
          <div class="field">
            <label for={inputId}>{words.typeToConfirm(confirmText)}</label>
            <input
              id={inputId}
              value={typed}
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              onInput={({ currentTarget }) => setTyped(currentTarget.value)}
            />
          </div>
        )}
        <ErrorText text={error} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            {words.cancel}
          </button>
          <button
            type="submit"
            class="danger"
            disabled={isRunning || (confirmText !== undefined && typed.trim() !== confirmText)}
          >
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
