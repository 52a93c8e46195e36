import { call } from '../lib/api.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { useNotices } from '../lib/notices.ts';
import { endSession, usePageSession } from '../lib/session.ts';
import { LoadState } from './load-state.tsx';

/** The browsers in which the user is signed in. */
export function SessionList() {
  const locale = useLocale();
  const { words, formats } = locale;
  const { setSession } = usePageSession();
  const notify = useNotices();
  const loaded = useLoaded('sessions', (signal) => call('GET /sessions', { signal }));
  async function signOutEverywhere(): Promise<void> {
    try {
      await call('DELETE /sessions');
      endSession();
      setSession(null);
    } catch (error) {
      notify({ text: errorText(locale, error), isError: true });
    }
  }
  return (
    <section class="stack">
      <h2>{words.sessions}</h2>
      <p>{words.sessionsHint}</p>
      <LoadState loaded={loaded} />
      <ul class="cards">
        {loaded.value?.sessions.map(({ isCurrent, client, createdAt, lastUsedAt }) => (
          <li key={createdAt} class="card">
            <strong>{describeBrowser(client) || words.browser}</strong>{' '}
            {isCurrent && <span class="mark">{words.thisBrowser}</span>}
            <p class="quiet">
              {words.since} {formats.dateTime(createdAt)} · {words.lastUsed}: {formats.relative(lastUsedAt)}
            </p>
          </li>
        ))}
      </ul>
      <div>
        <button type="button" onClick={signOutEverywhere}>
          {words.signOutEverywhere}
        </button>
      </div>
    </section>
  );
}

/** Returns the browser and the system of a `User-Agent`, such as `Firefox, Linux`. */
function describeBrowser(userAgent: string): string {
  const browser = ['Firefox', 'Edg', 'OPR', 'Chrome', 'Safari'].find((name) =>
    userAgent.includes(`${name}/`),
  );
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux'].find((name) =>
    userAgent.includes(name),
  );
  const name = { Edg: 'Edge', OPR: 'Opera' }[browser ?? ''] ?? browser;
  return [name, system].filter((part) => part !== undefined).join(', ') || userAgent.slice(0, 60);
}
