import { errorText, useLocale } from '../lib/language.ts';
import type { PageUpload, UploadQueue } from '../lib/upload-queue.ts';
import { Bar } from './bar.tsx';
import { LinkBox } from './link-box.tsx';

/** One upload: its progress, then its link. */
export function UploadRow({ upload, queue }: { upload: PageUpload; queue: UploadQueue }) {
  const locale = useLocale();
  const { words, formats } = locale;
  const { id, file, state, sentBytes, resumedAt, canPause, link, error } = upload;
  const sent = words.sentOf(formats.bytes(sentBytes), formats.bytes(file.size));
  const name = file.name || words.file;
  return (
    <li class="upload">
      <div class="upload-line">
        <span class="upload-name">{name}</span>
        <span class="quiet" role="status">
          {state === 'sending' ? sent : words.uploadStates[state]}
        </span>
        {canPause && (state === 'sending' || state === 'interrupted') && (
          <button type="button" aria-label={`${words.pause}: ${name}`} onClick={() => queue.pause(id)}>
            {words.pause}
          </button>
        )}
        {state === 'paused' && (
          <button type="button" aria-label={`${words.resume}: ${name}`} onClick={() => queue.resume(id)}>
            {words.resume}
          </button>
        )}
        {state === 'failed' && (
          <button type="button" onClick={() => queue.resume(id)}>
            {words.retry}
          </button>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label={`${state === 'done' ? words.remove : words.cancel}: ${name}`}
          onClick={() => queue.remove(id)}
        >
          ×
        </button>
      </div>
      {['sending', 'paused', 'interrupted'].includes(state) && (
        <Bar value={sentBytes} max={file.size} label={words.uploadProgress(name)} text={sent} />
      )}
      {state === 'sending' && resumedAt > 0 && (
        <p class="quiet" role="status">
          {words.resumesAt(formats.percent(resumedAt / file.size))}
        </p>
      )}
      {state === 'failed' && <p class="error-text">{errorText(locale, error)}</p>}
      {link !== null && <LinkBox link={link} label={words.link} />}
    </li>
  );
}
