import { useMemo } from 'preact/hooks';
import { type Answer, ApiError, call } from '../lib/api.ts';
import { fileCountText } from '../lib/files.ts';
import { useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import type { PageRoute } from '../lib/route.ts';
import { UploadQueue, useUploads } from '../lib/upload-queue.ts';
import { LoadState } from '../parts/load-state.tsx';
import { UploadPanel } from '../parts/upload-panel.tsx';

/** Lets somebody without an account send files to a user. */
export function GuestView({ route }: { route: PageRoute }) {
  const { words, formats } = useLocale();
  const token = route.argument;
  const queue = useMemo(
    () => new UploadQueue((file) => call('POST /guest/{token}/slots', { params: { token }, body: file })),
    [token],
  );
  const doneCount = useUploads(queue).filter(({ state }) => state === 'done').length;
  const link = useLoaded(`${token} ${doneCount}`, (signal) =>
    call('GET /guest/{token}', { params: { token }, signal }),
  );
  if (link.error instanceof ApiError && [403, 404, 410].includes(link.error.status)) {
    return <p class="warning">{words.guestUnknown}</p>;
  }
  if (link.value === undefined) return <LoadState loaded={link} />;
  const { recipient, note, expiresAt } = link.value;
  return (
    <div class="stack">
      <p class="lead">{words.guestTitle(recipient)}</p>
      {note !== '' && <blockquote>{note}</blockquote>}
      <p class="quiet">
        {leftText(link.value)} {words.guestUntil(formats.dateTime(expiresAt))}
      </p>
      <UploadPanel queue={queue} isAllowed={link.value.filesLeft !== 0 && link.value.bytesLeft !== 0} />
      {doneCount > 0 && <p>{words.guestThanks}</p>}
    </div>
  );

  function leftText({ filesLeft, bytesLeft }: Answer<'GET /guest/{token}'>): string {
    return words.guestLeft(
      filesLeft === null ? words.anyNumber : fileCountText(words, formats, filesLeft),
      bytesLeft === null ? words.anySize : formats.bytes(bytesLeft),
    );
  }
}
