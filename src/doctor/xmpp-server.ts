import { isLoopbackHost } from '../base/addresses.ts';
import { type LoginSettings, LoginTimeoutError, TlsUnavailableError } from '../xmpp/client/login.ts';
import { toLoginRefusal } from '../xmpp/client/login-errors.ts';
import { SaslError } from '../xmpp/client/sasl.ts';
import { NoServerFoundError } from '../xmpp/client/server-addresses.ts';
import { StreamError } from '../xmpp/client/xml-stream.ts';
import { certificateTime, namesIn, type PresentedCertificate } from './certificate.ts';
import { shortErrorReason } from './report.ts';

type ServerSettings = Pick<LoginSettings, 'server' | 'directTls'>;

/** Explains why an account cannot log in at the XMPP server of a domain, with the remedy. */
export function explainLoginError(error: unknown, domain: string, settings: ServerSettings): string {
  if (error instanceof NoServerFoundError) return explainMissingServer(error, domain);
  if (error instanceof TlsUnavailableError) {
    return (
      `${serverName(domain, settings)} offers no TLS, and passwords are not sent without it. Give it a certificate for ${domain}.` +
      alternative(settings, 'set messages.require_tls: false')
    );
  }
  if (error instanceof SaslError) return explainSaslError(error, domain);
  if (error instanceof StreamError && error.condition === 'host-unknown') {
    return `${serverName(domain, settings)} does not serve ${domain}. Set messages.server to the server of these accounts.`;
  }
  const code = shortErrorReason(error);
  if (isCertificateError(code)) return explainTrust(code, domain, settings);
  return explainConnection(error, code, domain, settings);
}

function explainMissingServer({ message, isUnknownDomain }: NoServerFoundError, domain: string): string {
  return isUnknownDomain
    ? `DNS names no XMPP server for ${domain} (${message}). Set messages.server: HOST:5222.`
    : `Porter does not follow DNS to a private address: ${message} (HOST:5222).`;
}

function explainSaslError({ condition, message }: SaslError, domain: string): string {
  if (condition === 'not-authorized') return `The XMPP server of ${domain} refuses the name or the password.`;
  if (condition === 'no-mechanism') {
    return (
      `The XMPP server of ${domain} offers no login mechanism that Porter supports: ${message}. Enable SCRAM-SHA-256 or ` +
      'SCRAM-SHA-1 there.'
    );
  }
  return `The XMPP server of ${domain} refuses the login: ${condition}.`;
}

/** Error codes of direct TLS at a port for STARTTLS: the server answers with an invalid TLS record. In the opposite case it waits. */
const NO_DIRECT_TLS = /^EPROTO$|^ERR_SSL_(?:WRONG_VERSION|PACKET_LENGTH)/;

function explainConnection(error: unknown, code: string, domain: string, settings: ServerSettings): string {
  const server = serverName(domain, settings);
  const isSilent =
    error instanceof LoginTimeoutError || (error as Error | undefined)?.name === 'TimeoutError';
  const closed = 'the server closed the connection';
  if (settings.directTls && NO_DIRECT_TLS.test(code)) {
    return `${server} does not begin with TLS. Remove messages.direct_tls, or set messages.server to its port for direct TLS (often 5223).`;
  }
  if (!settings.directTls && settings.server && (isSilent || code === closed)) {
    return (
      `${server} does not answer. If this is its port for direct TLS (often 5223), set messages.direct_tls: true; otherwise check ` +
      'the port and the firewalls in between.'
    );
  }
  if (isSilent || code === 'ETIMEDOUT') return `${server} does not answer. Check the firewalls in between.`;
  if (code === 'ECONNREFUSED') {
    return `${server} accepts no connections. Check that it runs, and set messages.server to its address for clients (often HOST:5222).`;
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `The host name of ${server} cannot be resolved. Check DNS and messages.server.`;
  }
  return `${toLoginRefusal(error, domain).message} (${code})`;
}

function isCertificateError(code: string): boolean {
  return /SELF_SIGNED|UNABLE_TO|CERT_/.test(code);
}

/** Explains why the certificate of an XMPP server is not accepted. */
export function explainServerCertificate(
  code: string,
  { host: domain, certificate }: PresentedCertificate,
  settings: ServerSettings,
): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `It expired on ${certificateTime(certificate.valid_to)}: accounts cannot log in. Renew it, and reload the XMPP server.`;
    case 'CERT_NOT_YET_VALID':
      return `It is valid only from ${certificateTime(certificate.valid_from)}. Check the clock of this machine.`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return (
        `It is not valid for ${domain}, only for ${namesIn(certificate)}: accounts cannot log in. The XMPP server needs one with the ` +
        `domain of the accounts, even if DNS names another host (RFC 6120 section 13.7.2).${alternative(settings, 'set messages.require_tls: false')}`
      );
    default:
      return explainTrust(code, domain, settings);
  }
}

function explainTrust(code: string, domain: string, settings: ServerSettings): string {
  const chain = /UNABLE_TO/.test(code)
    ? 'If its authority is a public one, the XMPP server must send the intermediate certificates too (fullchain.pem). Otherwise '
    : '';
  const remedy =
    "install the authority's certificate on this machine (update-ca-certificates), or name its file in the environment of Porter: " +
    'NODE_EXTRA_CA_CERTS=/path/to/ca.pem.';
  const text = chain === '' ? remedy.charAt(0).toUpperCase() + remedy.slice(1) : remedy;
  return (
    `This machine does not trust the certificate of ${serverName(domain, settings)} (${code}): accounts cannot log in. ${chain}${text}` +
    alternative(settings, 'set messages.require_tls: false')
  );
}

/** Returns a sentence that proposes an option which is allowed only for a server on this machine. Empty for other servers. */
function alternative({ server }: ServerSettings, option: string): string {
  if (server === null) return '';
  return isLoopbackHost(server.host) ? ` Or, because the server is on this machine, ${option}.` : '';
}

function serverName(domain: string, { server }: Pick<ServerSettings, 'server'>): string {
  return server === null
    ? `the XMPP server of ${domain}`
    : `the XMPP server at ${server.host}:${server.port} (messages.server)`;
}
