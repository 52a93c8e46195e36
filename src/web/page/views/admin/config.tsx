import { useState } from 'preact/hooks';
import { type Answer, call } from '../../lib/api.ts';
import { errorText, useLocale } from '../../lib/language.ts';
import { useLoaded } from '../../lib/load.ts';
import { ErrorText } from '../../parts/error-text.tsx';
import { Field } from '../../parts/field.tsx';
import { LoadState } from '../../parts/load-state.tsx';
import { RuleFacts } from '../../parts/rule-facts.tsx';

/** The options in effect (read-only), and the rule that decides for an address. */
export function ConfigView() {
  const { words } = useLocale();
  const loaded = useLoaded('config', (signal) => call('GET /admin/config', { signal }));
  return (
    <div class="stack sections">
      <MatchRule />
      <section class="stack">
        <h2>{words.views.config}</h2>
        <p>{words.configHint}</p>
        <LoadState loaded={loaded} />
        {loaded.value?.warnings.map((warning) => (
          <p key={warning} class="warning">
            {warning}
          </p>
        ))}
        {loaded.value && <Options config={loaded.value} />}
      </section>
    </div>
  );
}

function Options({ config: { options, file } }: { config: Answer<'GET /admin/config'> }) {
  const { words } = useLocale();
  return (
    <>
      {file !== null && (
        <p class="quiet">
          {words.configFile}: {file}
        </p>
      )}
      {Object.entries(options).map(([name, value]) => (
        <details key={name} class="option">
          <summary>{name}</summary>
          <pre class="answer">{JSON.stringify(value, null, 2)}</pre>
        </details>
      ))}
    </>
  );
}

function MatchRule() {
  const locale = useLocale();
  const { words } = locale;
  const [jid, setJid] = useState('');
  const [rule, setRule] = useState<Answer<'GET /admin/rule'> | null>(null);
  const [error, setError] = useState('');
  async function match(event: Event): Promise<void> {
    event.preventDefault();
    try {
      setRule(await call('GET /admin/rule', { query: { jid: jid.trim() } }));
      setError('');
    } catch (cause) {
      setError(errorText(locale, cause));
    }
  }
  return (
    <section class="stack">
      <h2>{words.matchRule}</h2>
      <form class="tools" onSubmit={match}>
        <Field
          label={words.address}
          type="search"
          autocapitalize="none"
          required
          value={jid}
          onText={setJid}
        />
        <button type="submit" class="primary">
          {words.findFile}
        </button>
      </form>
      <ErrorText text={error} />
      <div role="status">{rule && <RuleFacts rule={rule} />}</div>
    </section>
  );
}
