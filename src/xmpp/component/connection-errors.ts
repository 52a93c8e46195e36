import type { ComponentConnectionOptions } from './connection.ts';

/** What went wrong with a stream, in words that say what to do about it. Never has the secret in it. */
export function describeConnectionError(
  fault: unknown,
  { jid, server }: Omit<ComponentConnectionOptions, 'secret'>,
): string {
  const where = `${server.host}:${server.port}`;
  const { code, condition } = (fault ?? {}) as { code?: unknown; condition?: unknown };
  const advice = words[String(condition ?? code)];
  if (advice) return advice(jid, where);
  const message = fault instanceof Error ? fault.message : '';
  return `the XMPP server at ${where} ended the stream of ${jid}${message ? `: ${message}` : ''}`;
}

/** By stream error condition (RFC 6120 §4.9.3) or system error code. */
const words: Readonly<Record<string, (jid: string, where: string) => string>> = {
  // ejabberd says the same of a component that it does not know, and Prosody the next of its client port.
  'not-authorized': (jid) =>
    `the XMPP server refuses the secret of ${jid}: component.secret must be what Prosody has as ` +
    `component_secret, ejabberd as password under "${jid}" among the hosts of an ejabberd_service listener`,
  'host-unknown': (jid, where) =>
    `the XMPP server at ${where} knows no component ${jid}: add Component "${jid}" to Prosody's config, or ` +
    `"${jid}" to the hosts of ejabberd's ejabberd_service listener, and see that ${where} is where it takes ` +
    'components (often port 5347), not clients',
  conflict: (jid) =>
    `another program is connected to the XMPP server as ${jid}: only one can be; stop the other one`,
  'invalid-namespace': (_jid, where) =>
    `${where} takes clients or servers, not components: component.server must name the component port ` +
    '(often 5347)',
  ECONNREFUSED: (_jid, where) =>
    `nothing listens at ${where}: is the XMPP server running, and does it take components there ` +
    "(Prosody's component_ports, ejabberd's ejabberd_service)?",
  ENOTFOUND: (_jid, where) => `the name in ${where} is not known here: check component.server`,
  EAI_AGAIN: (_jid, where) => `the name in ${where} cannot be looked up now`,
  EHOSTUNREACH: (_jid, where) => `${where} cannot be reached from this machine`,
  ENETUNREACH: (_jid, where) => `${where} cannot be reached from this machine`,
  ETIMEDOUT: (_jid, where) => `${where} does not answer: is a firewall in between?`,
};
