import { useState } from 'preact/hooks';
import { call } from '../lib/api.ts';
import { fileCountText } from '../lib/files.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { useNotices } from '../lib/notices.ts';
import { linkTo } from '../lib/route.ts';
import { ErrorText } from '../parts/error-text.tsx';
import { Field, Select } from '../parts/field.tsx';
import { LinkBox } from '../parts/link-box.tsx';
import { LoadState } from '../parts/load-state.tsx';

const DAY_MS = 86_400_000;
const MEBIBYTE = 2 ** 20;
const VALID_DAYS = ['1', '7', '30', '90'] as const;

/** Links by which others send files to the user. */
export function GuestLinksView() {
  const locale = useLocale();
  const { words, formats } = locale;
  const notify = useNotices();
  const loaded = useLoaded('guest-links', (signal) => call('GET /guest-links', { signal }));
  async function revoke(id: string): Promise<void> {
    try {
      await call('DELETE /guest-links/{id}', { params: { id } });
      notify({ text: words.revoked });
    } catch (error) {
      notify({ text: errorText(locale, error), isError: true });
    }
    loaded.reload();
  }
  return (
    <div class="stack">
      <p>{words.guestLinksHint}</p>
      <NewGuestLink onMade={loaded.reload} />
      <LoadState loaded={loaded} />
      {loaded.value?.links.length === 0 && <p class="quiet">{words.noGuestLinks}</p>}
      <ul class="cards">
        {loaded.value?.links.map((link) => (
          <li key={link.id} class="card">
            <div class="card-line">
              <strong>{link.note || words.guestLinkMade}</strong>
              <button
                type="button"
                class="danger"
                aria-label={words.revokeNamed(link.note || words.guestLinkMade)}
                onClick={() => revoke(link.id)}
              >
                {words.revoke}
              </button>
            </div>
            <p class="quiet">
              {words.guestUntil(formats.dateTime(link.expiresAt))}
              <br />
              {words.used}:{' '}
              {words.usedOf(
                fileCountText(words, formats, link.usedFiles),
                link.maxFiles === null ? words.anyNumber : formats.number(link.maxFiles),
              )}
              ,{' '}
              {words.usedOf(
                formats.bytes(link.usedBytes),
                link.maxBytes === null ? words.anySize : formats.bytes(link.maxBytes),
              )}
            </p>
          </li>
        ))}
      </ul>
    </div>
  );
}

function NewGuestLink({ onMade }: { onMade: () => void }) {
  const locale = useLocale();
  const { words } = locale;
  const [note, setNote] = useState('');
  const [days, setDays] = useState<(typeof VALID_DAYS)[number]>('7');
  const [maxSize, setMaxSize] = useState('');
  const [maxFiles, setMaxFiles] = useState('');
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState('');
  async function create(event: Event): Promise<void> {
    event.preventDefault();
    try {
      const { token } = await call('POST /guest-links', {
        body: {
          note,
          expiresAt: new Date(Date.now() + Number(days) * DAY_MS).toISOString(),
          ...(maxSize !== '' && { maxBytes: Math.round(Number(maxSize) * MEBIBYTE) }),
          ...(maxFiles !== '' && { maxFiles: Number(maxFiles) }),
        },
      });
      setMade(new URL(linkTo('guest', token), location.href).href);
      setError('');
      onMade();
    } catch (cause) {
      setError(errorText(locale, cause));
    }
  }
  const options = Object.fromEntries(VALID_DAYS.map((value) => [value, words.days(Number(value))])) as Record<
    (typeof VALID_DAYS)[number],
    string
  >;
  return (
    <section class="card stack" aria-label={words.newGuestLink}>
      <h2>{words.newGuestLink}</h2>
      <form class="tools" onSubmit={create}>
        <Field label={words.note} value={note} maxLength={200} onText={setNote} />
        <Select label={words.validFor} value={days} options={options} onChoice={setDays} />
        <Field
          label={`${words.maxBytes} (${words.mebibytes})`}
          type="number"
          min="1"
          value={maxSize}
          onText={setMaxSize}
        />
        <Field
          label={words.maxFiles}
          type="number"
          min="1"
          max="10000"
          value={maxFiles}
          onText={setMaxFiles}
        />
        <button type="submit" class="primary">
          {words.create}
        </button>
      </form>
      <ErrorText text={error} />
      {made !== null && (
        <div class="made stack" role="status">
          <p>
            <strong>{words.guestLinkMade}.</strong> {words.shownOnce}
          </p>
          <LinkBox link={made} label={words.guestLinkMade} />
        </div>
      )}
    </section>
  );
}
