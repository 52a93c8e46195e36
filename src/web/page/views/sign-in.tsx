import { useEffect, useState } from 'preact/hooks';
import { call } from '../lib/api.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { goTo, type PageRoute } from '../lib/route.ts';
import { signIn, usePageSession } from '../lib/session.ts';
import { ErrorText } from '../parts/error-text.tsx';
import { Field } from '../parts/field.tsx';

/** Signs the user in by a one-time link that Porter sends as a message, or by the XMPP password. */
export function SignInView({ route }: { route: PageRoute }) {
  const locale = useLocale();
  const { words } = locale;
  const { service, setSession } = usePageSession();
  const { signIn: ways } = service;
  const code = route.view === 'sign-in' ? route.argument : '';
  const [jid, setJid] = useState('');
  const [password, setPassword] = useState('');
  const [typedCode, setTypedCode] = useState('');
  const [isByPassword, setByPassword] = useState(!ways.includes('link'));
  const [linkSentTo, setLinkSentTo] = useState<string | null>(null);
  const [error, setError] = useState('');
  const [isBusy, setBusy] = useState(code !== '');

  async function attempt(run: () => Promise<void>): Promise<void> {
    setBusy(true);
    setError('');
    try {
      await run();
    } catch (cause) {
      setError(errorText(locale, cause));
    } finally {
      setBusy(false);
    }
  }
  async function start(credentials: Parameters<typeof signIn>[0]): Promise<void> {
    const session = await signIn(credentials);
    if (route.view === 'sign-in') goTo('#/files');
    setSession(session);
  }
  // The code of a link works once.
  useEffect(() => {
    if (code !== '') void attempt(() => start({ code }));
  }, [code]);

  function submit(event: Event): void {
    event.preventDefault();
    void attempt(async () => {
      if (linkSentTo !== null) return start({ code: typedCode.trim() });
      if (isByPassword) return start({ jid: jid.trim(), password });
      await call('POST /sign-in-links', { body: { jid: jid.trim(), language: locale.language } });
      setLinkSentTo(jid.trim());
    });
  }

  return (
    <form class="card sign-in stack" onSubmit={submit}>
      {linkSentTo === null ? (
        <>
          <Field
            label={words.address}
            hint={words.addressHint}
            type="text"
            inputMode="email"
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            required
            value={jid}
            onText={setJid}
          />
          {isByPassword && (
            <Field
              label={words.password}
              hint={words.passwordHint}
              type="password"
              autocomplete="current-password"
              required
              value={password}
              onText={setPassword}
            />
          )}
        </>
      ) : (
        <>
          <p>
            <strong>{words.linkSent(linkSentTo)}</strong> {words.linkSentHint}
          </p>
          <Field
            label={words.code}
            autocomplete="one-time-code"
            autocapitalize="none"
            spellcheck={false}
            required
            value={typedCode}
            onText={setTypedCode}
          />
        </>
      )}
      <ErrorText text={error} />
      <button type="submit" class="primary" disabled={isBusy}>
        {submitLabel()}
      </button>
      {linkSentTo !== null && (
        <button type="button" class="link-button" onClick={() => setLinkSentTo(null)}>
          {words.otherAddress}
        </button>
      )}
      {linkSentTo === null && ways.length > 1 && (
        <button type="button" class="link-button" onClick={() => setByPassword(!isByPassword)}>
          {isByPassword ? words.useLink : words.usePassword}
        </button>
      )}
    </form>
  );

  function submitLabel(): string {
    if (isBusy) return words.signingIn;
    return linkSentTo === null && !isByPassword ? words.sendLink : words.signIn;
  }
}
