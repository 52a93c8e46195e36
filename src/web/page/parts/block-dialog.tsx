import { useState } from 'preact/hooks';
import { call } from '../lib/api.ts';
import { fileCountText } from '../lib/files.ts';
import { useLocale } from '../lib/language.ts';
import { useNotices } from '../lib/notices.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { CheckBox, Field } from './field.tsx';

interface BlockDialogProps {
  /** A link, an id or a SHA-256. */
  readonly target: string;
  readonly name: string;
  readonly onClose: () => void;
  readonly onBlocked: () => void;
}

/** Asks for the reason before a file is blocked by its content. */
export function BlockDialog({ target, name, onClose, onBlocked }: BlockDialogProps) {
  const { words, formats } = useLocale();
  const notify = useNotices();
  const [reason, setReason] = useState('');
  const [removeCopies, setRemoveCopies] = useState(true);
  async function block(): Promise<void> {
    const { removed } = await call('POST /admin/blocked', { body: { target, reason, removeCopies } });
    notify({ text: words.blocked(fileCountText(words, formats, removed)) });
    onBlocked();
  }
  return (
    <ConfirmDialog title={words.blockTitle} action={words.block} run={block} onClose={onClose}>
      <p>
        <strong>{name}</strong>
      </p>
      <p class="quiet">{words.blockHint}</p>
      <Field label={words.reason} value={reason} maxLength={200} onText={setReason} />
      <CheckBox label={words.removeCopies} isChecked={removeCopies} onChange={setRemoveCopies} />
    </ConfirmDialog>
  );
}
