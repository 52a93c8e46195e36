import { Refusal } from '../../base/errors.ts';
import { BindError, LoginTimeoutError, TlsUnavailableError } from './login.ts';
import { SaslError } from './sasl.ts';
import { ScramError } from './scram.ts';
import { NoServerFoundError } from './server-addresses.ts';
import { StreamError } from './xml-stream.ts';

/** What a login that failed means to who asked for it. Names no address of the inside. */
export function toLoginRefusal(fault: unknown, domain: string): Refusal {
  if (fault instanceof Refusal) return fault;
  if (fault instanceof SaslError) return saslRefusal(fault, domain);
  if (fault instanceof StreamError) return streamRefusal(fault, domain);
  if (fault instanceof NoServerFoundError) return placeRefusal(fault, domain);
  if (fault instanceof LoginTimeoutError || timedOut(fault)) {
    return new Refusal('no_answer', { cause: fault, text: `The XMPP server of ${domain} does not answer.` });
  }
  if (fault instanceof BindError) return refused(fault, domain, 'lets nobody in now', fault.condition);
  if (fault instanceof TlsUnavailableError)
    return refused(fault, domain, 'has no TLS, and passwords are not sent without');
  if (fault instanceof ScramError)
    return refused(fault, domain, `does not log in as it should: ${fault.message}`);
  const tls = tlsWords(fault);
  if (tls !== undefined) return refused(fault, domain, tls);
  return new Refusal('unavailable', {
    cause: fault,
    text: `The XMPP server of ${domain} cannot be reached.`,
  });
}

/** Did the server look at the password, or at the name, and not like it? Only that is counted as guessing. */
export function isCredentialsRefusal(refusal: Refusal): boolean {
  return refusal.code === 'credentials_wrong';
}

function saslRefusal(fault: SaslError, domain: string): Refusal {
  switch (fault.condition) {
    case 'not-authorized':
    case 'invalid-authzid':
    case 'malformed-request':
      return new Refusal('credentials_wrong', { cause: fault });
    case 'account-disabled':
    case 'credentials-expired':
      return new Refusal('credentials_wrong', {
        cause: fault,
        text: `The XMPP server of ${domain} has closed this account.`,
      });
    case 'temporary-auth-failure':
      return new Refusal('unavailable', {
        cause: fault,
        text: `The XMPP server of ${domain} cannot check passwords now.`,
      });
    case 'no-mechanism':
      return refused(fault, domain, `offers no way to log in that Porter knows: ${fault.message}`);
    default:
      return refused(fault, domain, 'does not log accounts in', fault.condition);
  }
}

function streamRefusal(fault: StreamError, domain: string): Refusal {
  if (fault.condition === 'host-unknown' || fault.condition === 'host-gone') {
    const text = `The XMPP server here has no accounts at ${domain}.`;
    return new Refusal('credentials_wrong', { cause: fault, text });
  }
  return refused(fault, domain, 'ended the login', fault.condition);
}

function placeRefusal(fault: NoServerFoundError, domain: string): Refusal {
  return fault.isUnknownDomain
    ? new Refusal('credentials_wrong', { cause: fault, text: `No XMPP server is known for ${domain}.` })
    : new Refusal('server_refused', {
        cause: fault,
        text: `The XMPP server of ${domain} lies on an inner network, where it must be named in the config (messages.server).`,
      });
}

function refused(cause: unknown, domain: string, what: string, condition?: string): Refusal {
  const text = `The XMPP server of ${domain} ${what}${condition ? ` (${condition})` : ''}.`;
  return new Refusal('server_refused', { cause, text, ...(condition !== undefined && { condition }) });
}

function codeOf(fault: unknown): string {
  return String((fault as { code?: unknown } | undefined)?.code ?? '');
}

function timedOut(fault: unknown): boolean {
  const isOurs = fault instanceof Error && (fault.name === 'AbortError' || fault.name === 'TimeoutError');
  return isOurs || codeOf(fault) === 'ETIMEDOUT';
}

/** By the codes of OpenSSL and of Node. */
function tlsWords(fault: unknown): string | undefined {
  const code = codeOf(fault);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'shows a certificate for another name';
  if (code === 'CERT_HAS_EXPIRED') return 'shows a certificate that has expired';
  if (/SELF_SIGNED|UNABLE_TO|CERT_/.test(code))
    return `shows a certificate that nobody vouches for (${code})`;
  if (/^ERR_SSL_|^EPROTO$/.test(code)) return `does not speak TLS as it should (${code})`;
  return undefined;
}
