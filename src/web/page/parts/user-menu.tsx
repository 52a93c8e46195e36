import { call } from '../lib/api.ts';
import { errorText, useLocale } from '../lib/language.ts';
import { useNotices } from '../lib/notices.ts';
import { goTo } from '../lib/route.ts';
import { endSession, type Session, usePageSession } from '../lib/session.ts';

/** The user that is signed in, and signing out. */
export function UserMenu({ session }: { session: Session }) {
  const locale = useLocale();
  const { words } = locale;
  const { setSession } = usePageSession();
  const notify = useNotices();
  async function signOut(): Promise<void> {
    try {
      await call('DELETE /session');
      endSession();
      setSession(null);
      goTo('#/sign-in');
    } catch (error) {
      notify({ text: errorText(locale, error), isError: true });
    }
  }
  return (
    <div class="user-menu">
      <span class="user-name">
        <span class="visually-hidden">{words.signedInAs} </span>
        {session.jid ?? words.roles[session.role]}
        {session.role !== 'user' && session.jid !== null && (
          <span class="mark">{words.roles[session.role]}</span>
        )}
      </span>
      <button type="button" onClick={signOut}>
        {words.signOut}
      </button>
    </div>
  );
}
