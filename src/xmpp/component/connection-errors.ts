import type { ComponentConnectionOptions } from './connection.ts';

/** Describes a failed or ended stream for the admin, with the remedy. The text never contains the secret. */
export function describeConnectionError(
  error: unknown,
  { jid, server }: Omit<ComponentConnectionOptions, 'secret'>,
): string {
  const address = `${server.host}:${server.port}`;
  const { code, condition } = (error ?? {}) as { code?: unknown; condition?: unknown };
  const describe = descriptions[String(condition ?? code)];
  if (describe) return describe(jid, address);
  const message = error instanceof Error ? error.message : '';
  return `the XMPP server at ${address} ended the stream of ${jid}${message ? `: ${message}` : ''}`;
}

/** By stream error condition (RFC 6120 §4.9.3) or system error code. */
const descriptions: Readonly<Record<string, (jid: string, address: string) => string>> = {
  // ejabberd also answers this for an unknown component.
  'not-authorized': (jid) =>
    `the XMPP server refuses the secret of ${jid}: component.secret must be the component_secret of Prosody, ` +
    `or the password of "${jid}" among the hosts of an ejabberd_service listener of ejabberd`,
  // Prosody also answers this on its client port.
  'host-unknown': (jid, address) =>
    `the XMPP server at ${address} does not know the component ${jid}: add Component "${jid}" to Prosody's config, ` +
    `or "${jid}" to the hosts of ejabberd's ejabberd_service listener, and check that ${address} is the port for ` +
    'components (often 5347), not for clients',
  conflict: (jid) =>
    `another program is already connected to the XMPP server as ${jid}: stop it, only one can be connected`,
  'invalid-namespace': (_jid, address) =>
    `${address} is a port for clients or servers, not for components: set component.server to the component port ` +
    '(often 5347)',
  // Set by `connection.ts`.
  NO_STREAM_ID: (_jid, address) =>
    `${address} sends back what it receives or is not the component port of an XMPP server: set component.server to the ` +
    'component port (often 5347)',
  ECONNREFUSED: (_jid, address) =>
    `nothing listens at ${address}: check that the XMPP server is running and accepts components there ` +
    "(Prosody's component_ports, ejabberd's ejabberd_service)",
  ENOTFOUND: (_jid, address) => `the host name in ${address} does not exist in DNS: check component.server`,
  EAI_AGAIN: (_jid, address) => `the host name in ${address} cannot be resolved now: check the DNS resolver`,
  EHOSTUNREACH: (_jid, address) => `${address} is not reachable from this machine: check the route to it`,
  ENETUNREACH: (_jid, address) => `${address} is not reachable from this machine: check the route to it`,
  ETIMEDOUT: (_jid, address) => `${address} does not answer: check the firewalls in between`,
};
