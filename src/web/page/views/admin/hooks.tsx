import { useState } from 'preact/hooks';
import { type Answer, call } from '../../lib/api.ts';
import { errorText, useLocale } from '../../lib/language.ts';
import { useLoaded } from '../../lib/load.ts';
import { Facts } from '../../parts/facts.tsx';
import { LoadState } from '../../parts/load-state.tsx';
import { RelativeTime } from '../../parts/relative-time.tsx';

type Hook = Answer<'GET /admin/hooks'>['hooks'][number];
type Call = NonNullable<Hook['lastCall']>;

/** The hooks with their last call, and a test of each. */
export function HooksView() {
  const { words } = useLocale();
  const loaded = useLoaded('hooks', (signal) => call('GET /admin/hooks', { signal }));
  if (loaded.value === undefined) return <LoadState loaded={loaded} />;
  const { hooks } = loaded.value;
  return (
    <div class="stack">
      <p>{words.hooksHint}</p>
      {hooks.length === 0 && (
        <div class="empty">
          <p>{words.noHooks}</p>
        </div>
      )}
      <ul class="cards">
        {hooks.map((hook) => (
          <HookCard key={hook.name} hook={hook} />
        ))}
      </ul>
    </div>
  );
}

function HookCard({ hook: { name, format, to, from, lastCall } }: { hook: Hook }) {
  const { words } = useLocale();
  return (
    <li class="card stack">
      <div class="card-line">
        <h2>{name}</h2>
        <span class="mark">{format}</span>
      </div>
      <Facts
        facts={[
          [words.recipients, to.join(', ')],
          [words.sender, from],
          [words.lastCall, lastCall === null ? words.never : <LastCall key="call" call={lastCall} />],
        ]}
      />
      <HookTest name={name} />
    </li>
  );
}

function LastCall({ call: { at, status, address, program, refusal } }: { call: Call }) {
  return (
    <>
      <RelativeTime at={at} />
      {' · '}
      <span class={status < 400 ? 'state-good' : 'state-bad'}>{status}</span>
      {refusal !== null && <span class="block state-bad">{refusal}</span>}
      <span class="block quiet">{program === '' ? address : `${address}, ${program}`}</span>
    </>
  );
}

/** Sends a test and shows the result for each recipient. */
function HookTest({ name }: { name: string }) {
  const locale = useLocale();
  const { words } = locale;
  const [lines, setLines] = useState<readonly { isGood: boolean; text: string }[]>([]);
  const [isRunning, setRunning] = useState(false);
  async function send(): Promise<void> {
    setRunning(true);
    setLines([]);
    try {
      const { results } = await call('POST /admin/hooks/{name}/test', { params: { name } });
      setLines(
        results.map(({ to, state, text }) => ({
          isGood: state !== 'failed',
          text: `${to}: ${words.sendStates[state]}${text === null ? '' : ` – ${text}`}`,
        })),
      );
    } catch (cause) {
      setLines([{ isGood: false, text: errorText(locale, cause) }]);
    } finally {
      setRunning(false);
    }
  }
  return (
    <div class="card-line hook-test">
      <div role="status">
        {lines.map(({ isGood, text }) => (
          <p key={text} class={isGood ? 'state-good' : 'state-bad'}>
            {text}
          </p>
        ))}
      </div>
      <button type="button" disabled={isRunning} aria-label={words.sendTestOf(name)} onClick={send}>
        {isRunning ? words.sending : words.sendTest}
      </button>
    </div>
  );
}
