import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { useLocale } from '../lib/language.ts';

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** If the browser supports this attribute, a click outside the dialog closes it too. Not in the types of Preact yet. */
const LIGHT_DISMISS: object = { closedby: 'any' };

/** A modal dialog: the browser keeps the focus inside, and closes it by Escape. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const { words } = useLocale();
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog ref={element} {...LIGHT_DISMISS} aria-labelledby={titleId} onClose={onClose}>
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button
            type="button"
            class="icon-button"
            aria-label={words.close}
            onClick={() => element.current?.close()}
          >
            ×
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
