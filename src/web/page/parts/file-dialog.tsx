import { useState } from 'preact/hooks';
import { call } from '../lib/api.ts';
import type { ShownFile } from '../lib/files.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { useNotices } from '../lib/notices.ts';
import { usePageSession } from '../lib/session.ts';
import { Dialog } from './dialog.tsx';
import { ErrorText } from './error-text.tsx';
import { Facts } from './facts.tsx';
import { Field } from './field.tsx';
import { thumbnailOf } from './file-icon.tsx';
import { LinkBox } from './link-box.tsx';

interface FileDialogProps {
  readonly file: ShownFile;
  readonly onClose: () => void;
  readonly onDelete: () => void;
  /** Absent if this user cannot block files. */
  readonly onBlock?: () => void;
  /** Absent if the time of this file cannot be changed here. */
  readonly onChanged?: (file: ShownFile) => void;
}

/** Everything about one file: its link, how long it is kept, and how to delete it. */
export function FileDialog({ file, onClose, onDelete, onBlock, onChanged }: FileDialogProps) {
  const { words, formats } = useLocale();
  const { bytes, dateTime } = formats;
  const facts: [string, string][] = [
    [words.size, bytes(file.size)],
    [words.type, file.type],
    ...(file.owner === undefined ? [] : [[words.owner, file.owner] as [string, string]]),
    ...(file.endpoint === undefined ? [] : [[words.endpoint, file.endpoint] as [string, string]]),
    [words.uploaded, file.uploadedAt === null ? words.states[file.state] : dateTime(file.uploadedAt)],
    [words.expires, file.expiresAt === null ? words.never : dateTime(file.expiresAt)],
    ...(file.purpose === '' ? [] : [[words.purpose, file.purpose] as [string, string]]),
  ];
  return (
    <Dialog title={file.name} onClose={onClose}>
      <div class="stack">
        {file.isEncrypted && <p class="hint">{words.encryptedHint}</p>}
        <Preview file={file} />
        {file.url === null ? (
          <p class="hint">{words.noLink}</p>
        ) : (
          <LinkBox link={file.url} label={words.link} />
        )}
        <Facts facts={facts} />
        {onChanged && <ExpiryForm file={file} onChanged={onChanged} />}
        <div class="buttons">
          <button type="button" class="danger" onClick={onDelete}>
            {words.delete}
          </button>
          {onBlock && file.state === 'stored' && (
            <button type="button" onClick={onBlock}>
              {words.block}
            </button>
          )}
          {file.url !== null && (
            <a class="button" href={file.url} target="_blank" rel="noreferrer">
              {words.open}
            </a>
          )}
        </div>
      </div>
    </Dialog>
  );
}

/** The thumbnail of a picture, if there is one. */
function Preview({ file }: { file: ShownFile }) {
  const { words } = useLocale();
  const { service } = usePageSession();
  const [isBroken, setIsBroken] = useState(false);
  const source = service.thumbnails && !isBroken ? thumbnailOf(file) : null;
  if (source === null) return null;
  return (
    <img
      class="preview"
      src={source}
      alt={words.previewOf(file.name)}
      decoding="async"
      onError={() => setIsBroken(true)}
    />
  );
}

/** Extends or shortens the time of a file, within the rule. */
function ExpiryForm({ file, onChanged }: { file: ShownFile; onChanged: (file: ShownFile) => void }) {
  const locale = useLocale();
  const { words, formats } = locale;
  const notify = useNotices();
  const [until, setUntil] = useState(file.expiresAt === null ? '' : toLocalInput(file.expiresAt));
  const [error, setError] = useState('');
  async function change(expiresAt: string | null): Promise<void> {
    try {
      const changed = await call('PATCH /files/{id}', { params: { id: file.id }, body: { expiresAt } });
      onChanged({ ...file, ...changed });
      setUntil(changed.expiresAt === null ? '' : toLocalInput(changed.expiresAt));
      setError('');
      notify({
        text:
          changed.expiresAt === null
            ? words.expiryUnlimited
            : words.expiryChanged(formats.dateTime(changed.expiresAt)),
      });
    } catch (cause) {
      setError(errorText(locale, cause));
    }
  }
  return (
    <form
      class="expiry-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (until !== '') void change(new Date(until).toISOString());
      }}
    >
      <Field
        label={words.keepUntil}
        type="datetime-local"
        required
        value={until}
        onText={setUntil}
        {...(!file.canExtend && { hint: words.cannotExtend })}
      />
      <button type="submit">{words.save}</button>
      {file.canExtend && (
        <button type="button" onClick={() => change(null)}>
          {words.keepLongest}
        </button>
      )}
      <ErrorText text={error} />
    </form>
  );
}

/** A time as `<input type="datetime-local">` needs it: local, without a zone. */
function toLocalInput(iso: string): string {
  const date = new Date(iso);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
