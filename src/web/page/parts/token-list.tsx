import { useState } from 'preact/hooks';
import { type Answer, call } from '../lib/api.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { useLoaded } from '../lib/load.ts';
import { useNotices } from '../lib/notices.ts';
import type { Session } from '../lib/session.ts';
import { CopyButton } from './copy-button.tsx';
import { ErrorText } from './error-text.tsx';
import { CheckBox, Field } from './field.tsx';
import { LoadState } from './load-state.tsx';

type Scope = Session['scopes'][number];
const USER_SCOPES: readonly Scope[] = ['files:read', 'files:write', 'share', 'message'];

/** The tokens of the user for scripts. */
export function TokenList({ role }: { role: Session['role'] }) {
  const locale = useLocale();
  const { words } = locale;
  const notify = useNotices();
  const loaded = useLoaded('tokens', (signal) => call('GET /tokens', { signal }));
  async function revoke(id: string): Promise<void> {
    try {
      await call('DELETE /tokens/{id}', { params: { id } });
      notify({ text: words.revoked });
    } catch (error) {
      notify({ text: errorText(locale, error), isError: true });
    }
    loaded.reload();
  }
  return (
    <section class="stack">
      <h2>{words.tokens}</h2>
      <p>{words.tokensHint}</p>
      <LoadState loaded={loaded} />
      {loaded.value?.tokens.length === 0 && <p class="quiet">{words.noTokens}</p>}
      <ul class="cards">
        {loaded.value?.tokens.map((token) => (
          <TokenCard key={token.id} token={token} onRevoke={() => revoke(token.id)} />
        ))}
      </ul>
      <NewToken scopes={role === 'admin' ? [...USER_SCOPES, 'admin'] : USER_SCOPES} onMade={loaded.reload} />
    </section>
  );
}

interface TokenCardProps {
  readonly token: Answer<'GET /tokens'>['tokens'][number];
  readonly onRevoke: () => void;
}

function TokenCard({ token, onRevoke }: TokenCardProps) {
  const { words, formats } = useLocale();
  const { name, scopes, lastUsedAt } = token;
  return (
    <li class="card">
      <div class="card-line">
        <strong>{name}</strong>
        <button type="button" class="danger" aria-label={words.revokeNamed(name)} onClick={onRevoke}>
          {words.revoke}
        </button>
      </div>
      <p class="quiet">
        {scopes.map((scope) => words.scopes[scope]).join(', ')}
        <br />
        {words.lastUsed}: {lastUsedAt === null ? words.never : formats.relative(lastUsedAt)}
      </p>
    </li>
  );
}

function NewToken({ scopes, onMade }: { scopes: readonly Scope[]; onMade: () => void }) {
  const locale = useLocale();
  const { words } = locale;
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<readonly Scope[]>(['files:read']);
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState('');
  async function create(event: Event): Promise<void> {
    event.preventDefault();
    try {
      const { token } = await call('POST /tokens', { body: { name, scopes: [...chosen] } });
      setMade(token);
      setName('');
      setError('');
      onMade();
    } catch (cause) {
      setError(errorText(locale, cause));
    }
  }
  return (
    <form class="card stack" onSubmit={create}>
      <h3>{words.newToken}</h3>
      <Field label={words.tokenName} required maxLength={100} value={name} onText={setName} />
      <fieldset>
        <legend>{words.permissions}</legend>
        {scopes.map((scope) => (
          <CheckBox
            key={scope}
            label={words.scopes[scope]}
            isChecked={chosen.includes(scope)}
            onChange={(isChecked) =>
              setChosen(isChecked ? [...chosen, scope] : chosen.filter((other) => other !== scope))
            }
          />
        ))}
      </fieldset>
      <ErrorText text={error} />
      <div>
        <button type="submit" class="primary" disabled={chosen.length === 0}>
          {words.create}
        </button>
      </div>
      {made !== null && (
        <div class="made stack" role="status">
          <p>
            <strong>{words.tokenMade}.</strong> {words.shownOnce}
          </p>
          <div class="link-box">
            <input readOnly value={made} aria-label={words.tokenMade} />
            <CopyButton text={made} label={words.copy} />
          </div>
        </div>
      )}
    </form>
  );
}
