import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { type Answer, ApiError, call, setCsrfToken } from './api.ts';
import { readStored, writeStored } from './storage.ts';
import { unfinishedUploads } from './unfinished-uploads.ts';

export type Service = Answer<'GET /service'>;
export type Session = Answer<'GET /session'>;

/** The service and the user that is signed in. */
export interface PageSession {
  readonly service: Service;
  /** Null if the browser is not signed in. */
  readonly session: Session | null;
  readonly setSession: (session: Session | null) => void;
}

/** The first answers of the server, or the error of the first request. */
export type PageStart =
  | { readonly service: Service; readonly session: Session | null }
  | { readonly error: unknown };

export const SessionContext = createContext<PageSession | null>(null);

/** Set while this browser has a session, so that the page asks for one only then. */
const SIGNED_IN_KEY = 'porter-signed-in';

/** Throws outside of the page's frame. */
export function usePageSession(): PageSession {
  const context = useContext(SessionContext);
  if (context === null) throw new Error('There is no session context.');
  return context;
}

/** Requests the service and, if this browser is signed in, its session. Never rejects. */
export async function readService(): Promise<PageStart> {
  try {
    const [service, session] = await Promise.all([call('GET /service'), readSession()]);
    return { service, session };
  } catch (error) {
    return { error };
  }
}

async function readSession(): Promise<Session | null> {
  if (readStored(SIGNED_IN_KEY) === null) return null;
  try {
    return keepSession(await call('GET /session'));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    return keepSession(null);
  }
}

export async function signIn(
  credentials: { jid: string; password: string } | { code: string },
): Promise<Session> {
  return keepSession(await call('POST /session', { body: credentials }));
}

/** Forgets the session in this page. */
export function endSession(): void {
  keepSession(null);
}

function keepSession<T extends Session | null>(session: T): T {
  setCsrfToken(session?.csrfToken ?? null);
  unfinishedUploads.setAccount(session?.jid ?? null);
  writeStored(SIGNED_IN_KEY, session && 'yes');
  return session;
}
