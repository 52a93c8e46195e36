import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { Frame } from './frame.tsx';
import { setSignedOutHandler } from './lib/api.ts';
import {
  errorText,
  type Language,
  LocaleContext,
  loadLocale,
  type PageLocale,
  rememberLanguage,
} from './lib/language.ts';
import { type Notice, NoticeContext } from './lib/notices.ts';
import { ownUploads } from './lib/own-uploads.ts';
import { endSession, type PageStart, type Session, SessionContext } from './lib/session.ts';
import { NoticeBar } from './parts/notice-bar.tsx';

const NOTICE_MS = 12_000;

/** The whole page. `start` is loaded before the first render, so that the layout does not shift. */
export function App({ firstLocale, start }: { firstLocale: PageLocale; start: PageStart }) {
  const [locale, setLocale] = useState(firstLocale);
  const [notice, setNotice] = useState<Notice | null>(null);
  const [session, setSession] = useState<Session | null>('session' in start ? start.session : null);
  const showNotice = useCallback((next: Notice) => setNotice(next), []);
  useEffect(() => {
    document.documentElement.lang = locale.language;
  }, [locale]);
  useEffect(() => {
    if (notice === null) return;
    const timer = setTimeout(() => setNotice(null), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  useEffect(
    () =>
      setSignedOutHandler(() => {
        endSession();
        setSession(null);
      }),
    [],
  );
  useEffect(() => {
    if (session === null) ownUploads.stop();
  }, [session]);
  const context = useMemo(
    () => ('service' in start ? { service: start.service, session, setSession } : null),
    [start, session],
  );
  async function setLanguage(language: Language): Promise<void> {
    rememberLanguage(language);
    setLocale(await loadLocale(language));
  }
  if (context === null) {
    return (
      <main class="failed-start">
        <p>{errorText(locale, 'error' in start ? start.error : null)}</p>
        <button type="button" onClick={() => location.reload()}>
          {locale.words.retry}
        </button>
      </main>
    );
  }
  return (
    <LocaleContext.Provider value={locale}>
      <NoticeContext.Provider value={showNotice}>
        <SessionContext.Provider value={context}>
          <Frame onLanguage={setLanguage} />
          <NoticeBar notice={notice} onClose={() => setNotice(null)} />
        </SessionContext.Provider>
      </NoticeContext.Provider>
    </LocaleContext.Provider>
  );
}
