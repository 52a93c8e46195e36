import { Refusal } from '../../base/errors.ts';
import { BindError, LoginTimeoutError, TlsUnavailableError } from './login.ts';
import { SaslError } from './sasl.ts';
import { ScramError } from './scram.ts';
import { NoServerFoundError } from './server-addresses.ts';
import { StreamError } from './xml-stream.ts';

/** Returns the refusal for the user whose login failed. Its text names no internal address. */
export function toLoginRefusal(error: unknown, domain: string): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof SaslError) return fromSaslError(error, domain);
  if (error instanceof StreamError) return fromStreamError(error, domain);
  if (error instanceof NoServerFoundError) return fromNoServerFound(error, domain);
  if (error instanceof BindError) return serverRefused(error, domain, 'refuses a session', error.condition);
  if (error instanceof TlsUnavailableError) {
    return serverRefused(error, domain, 'offers no TLS, and passwords are not sent without it');
  }
  if (error instanceof ScramError) {
    return serverRefused(error, domain, `failed the SCRAM authentication: ${error.message}`);
  }
  if (error instanceof LoginTimeoutError || isTimeout(error)) {
    const text = `The XMPP server of ${domain} does not answer.`;
    return new Refusal('no_answer', { cause: error, text });
  }
  const tlsProblem = describeTlsError(error);
  if (tlsProblem !== undefined) return serverRefused(error, domain, tlsProblem);
  const text = `The XMPP server of ${domain} cannot be reached.`;
  return new Refusal('unavailable', { cause: error, text });
}

/** Returns true if the server rejected the name or the password. Only such failures count as guesses. */
export function isCredentialsRefusal(refusal: Refusal): boolean {
  return refusal.code === 'credentials_wrong';
}

function fromSaslError(error: SaslError, domain: string): Refusal {
  switch (error.condition) {
    case 'not-authorized':
    case 'invalid-authzid':
    case 'malformed-request':
      return new Refusal('credentials_wrong', { cause: error });
    case 'account-disabled':
    case 'credentials-expired':
      return new Refusal('credentials_wrong', {
        cause: error,
        text: `The XMPP server of ${domain} has disabled this account or its password.`,
      });
    case 'temporary-auth-failure':
      return new Refusal('unavailable', {
        cause: error,
        text: `The XMPP server of ${domain} cannot check passwords now.`,
      });
    case 'no-mechanism':
      return serverRefused(
        error,
        domain,
        `offers no login mechanism that Porter supports (SCRAM-SHA-512, -256 and -1, PLAIN): ${error.message}`,
      );
    default:
      return serverRefused(error, domain, 'refuses the login', error.condition);
  }
}

function fromStreamError(error: StreamError, domain: string): Refusal {
  if (error.condition === 'host-unknown' || error.condition === 'host-gone') {
    const text = `This XMPP server does not serve accounts at ${domain}.`;
    return new Refusal('credentials_wrong', { cause: error, text });
  }
  return serverRefused(error, domain, 'ended the login', error.condition);
}

function fromNoServerFound(error: NoServerFoundError, domain: string): Refusal {
  return error.isUnknownDomain
    ? new Refusal('credentials_wrong', { cause: error, text: `No XMPP server was found for ${domain}.` })
    : new Refusal('server_refused', {
        cause: error,
        text: `The XMPP server of ${domain} is on a private network: the admin must set messages.server in the config.`,
      });
}

/** `problem` is the predicate of "The XMPP server of … <problem>". */
function serverRefused(cause: unknown, domain: string, problem: string, condition?: string): Refusal {
  const text = `The XMPP server of ${domain} ${problem}${condition ? ` (${condition})` : ''}.`;
  return new Refusal('server_refused', { cause, text, ...(condition !== undefined && { condition }) });
}

function errorCode(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '');
}

function isTimeout(error: unknown): boolean {
  const isAborted = error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
  return isAborted || errorCode(error) === 'ETIMEDOUT';
}

/** Describes a TLS error by the codes of OpenSSL and Node. Returns undefined for any other error. */
function describeTlsError(error: unknown): string | undefined {
  const code = errorCode(error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'presents a certificate for another name';
  if (code === 'CERT_HAS_EXPIRED') return 'presents an expired certificate';
  if (/SELF_SIGNED|UNABLE_TO|CERT_/.test(code)) return `presents an untrusted certificate (${code})`;
  if (/^ERR_SSL_|^EPROTO$/.test(code)) return `failed the TLS handshake (${code})`;
  return undefined;
}
