import xml from '@xmpp/xml';
import { networkOf } from '../../base/addresses.ts';
import { Refusal } from '../../base/errors.ts';
import { randomId, sha256Hex } from '../../base/ids.ts';
import { looseJidKey, parseBareJid } from '../../base/jid.ts';
import type { WebServices } from '../web-services.ts';

/** A sign-in link is valid for this time. */
export const LINK_LIFETIME_MS = 10 * 60_000;
/** 50 random bits. A link ends after five wrong codes. */
const CODE_LENGTH = 10;
/** Messages to one account, and requests from one network, within the lifetime of a link. */
const MAX_LINKS_PER_ACCOUNT = 3;
const MAX_LINKS_PER_NETWORK = 20;
const MAX_CODES_PER_NETWORK = 60;

export type MessageLanguage = 'en' | 'de';

export interface SignInLinkRequest {
  readonly jid: string;
  readonly language: MessageLanguage;
  /** Network address of the browser. */
  readonly address: string;
  /** The secret in the cookie of the browser that asks. */
  readonly browser: string;
}

/**
 * Sends a one-time code to an account as a message, with a link that contains it if `public_url` is set. Resolves when the XMPP
 * server has accepted the message, whether or not the account exists. Refusals: `credentials_wrong`, `too_many_attempts`, and those
 * of `MessageSender`. Returns when the code expires.
 */
export async function sendSignInLink(services: WebServices, request: SignInLinkRequest): Promise<number> {
  const { ledger, clock, settings } = services;
  if (!settings().signIn.includes('link')) {
    throw new Refusal('not_permitted', {
      text: 'This service sends no sign-in links. Sign in with your password.',
    });
  }
  const jid = accountFor(services, request.jid);
  const from = settings().linkSenderFor(jid);
  if (from === null) throw new Error('No component can send sign-in links.');
  await chargeLink(services, request.address, jid);
  const code = randomId().slice(0, CODE_LENGTH);
  const expiresAt = clock() + LINK_LIFETIME_MS;
  const hashes = { browserHash: sha256Hex(request.browser), codeHash: sha256Hex(code) };
  await ledger.createSignInLink({ ...hashes, jid, expiresAt });
  const body = formatMessage(services, jid, code, request.language);
  const message = xml('message', { to: jid, type: 'chat' }, xml('body', {}, body));
  // Without a wait for a bounce, the answer does not tell whether the account exists.
  await services.senders.componentSender(from).deliver(message, { bounceWait: 0 });
  return expiresAt;
}

function accountFor({ settings }: Pick<WebServices, 'settings'>, text: string): string {
  const jid = parseBareJid(text);
  if (jid === undefined || !jid.includes('@')) {
    throw new Refusal('credentials_wrong', {
      text: 'Enter a full account address, such as romeo@example.org.',
    });
  }
  if (!settings().maySignIn(jid)) {
    throw new Refusal('credentials_wrong', { text: 'This account may not sign in here.' });
  }
  return jid;
}

/** The counters are in the ledger, so the limits apply to all workers and instances together. */
async function chargeLink(services: WebServices, address: string, jid: string): Promise<void> {
  await charge(services, `sign-in links from ${networkOf(address)}`, MAX_LINKS_PER_NETWORK);
  await charge(services, `sign-in links to ${looseJidKey(jid)}`, MAX_LINKS_PER_ACCOUNT);
}

async function charge(
  { ledger, clock }: Pick<WebServices, 'ledger' | 'clock'>,
  key: string,
  limit: number,
): Promise<void> {
  const now = clock();
  const result = await ledger.chargeMessageRate({ key, period: LINK_LIFETIME_MS, limit, count: 1, now });
  if (result.outcome === 'ok') return;
  throw new Refusal('too_many_attempts', {
    text: 'Too many sign-in messages or codes. Try again later.',
    ...(result.retryAt !== null && { retryAt: result.retryAt }),
  });
}

/** The link has the code in its fragment, which no server log and no link preview gets. */
function formatMessage(
  { settings }: Pick<WebServices, 'settings'>,
  jid: string,
  code: string,
  language: MessageLanguage,
): string {
  const { title, linkBasesFor, path } = settings();
  const publicUrl = linkBasesFor(jid).putBase;
  const spelled = `${code.slice(0, 5)}-${code.slice(5)}`;
  // Never uses the host of the request: the sender of the request chooses it, and could obtain the code.
  const link = publicUrl === null ? null : `${publicUrl}${path.replace(/\/*$/, '/')}#/sign-in/${code}`;
  return MESSAGES[language](title, spelled, link);
}

type FormatMessage = (title: string, code: string, link: string | null) => string;

const MESSAGES: Readonly<Record<MessageLanguage, FormatMessage>> = {
  en: (title, code, link) =>
    [
      link === null ? `Sign in to "${title}" with this code: ${code}` : `Sign in to "${title}": ${link}`,
      ...(link === null ? [] : [`Or enter this code on the page: ${code}`]),
      'It works once, for ten minutes, and only in the browser that asked for it.',
      'If you did not ask for it, ignore this message. Do not pass the code on.',
    ].join('\n'),
  de: (title, code, link) =>
    [
      link === null ? `Anmelden bei „${title}“ mit diesem Code: ${code}` : `Anmelden bei „${title}“: ${link}`,
      ...(link === null ? [] : [`Oder diesen Code auf der Seite eingeben: ${code}`]),
      'Er gilt einmal, zehn Minuten lang und nur in dem Browser, der ihn angefordert hat.',
      'Wer ihn nicht angefordert hat, ignoriert diese Nachricht. Den Code niemandem weitergeben.',
    ].join('\n'),
};

/** Returns the account of a code that was sent for this browser. Throws `Refusal` (`credentials_wrong`, `too_many_attempts`). */
export async function redeemCode(
  services: WebServices,
  {
    code,
    browser,
    address,
  }: { readonly code: string; readonly browser: string | undefined; readonly address: string },
): Promise<string> {
  await charge(services, `sign-in codes from ${networkOf(address)}`, MAX_CODES_PER_NETWORK);
  const normalized = code.toLowerCase().replace(/[\s-]/g, '');
  const jid =
    browser === undefined
      ? undefined
      : await services.ledger.useSignInLink({
          browserHash: sha256Hex(browser),
          codeHash: sha256Hex(normalized),
          now: services.clock(),
        });
  if (jid !== undefined && services.settings().maySignIn(jid)) return jid;
  throw new Refusal('credentials_wrong', {
    text: 'The code is wrong, was used, or has expired, or another browser has asked for it. Ask for a new one in this browser.',
  });
}
