import { lookup as lookupHost, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { createAddressMatcher, withoutBrackets } from '../../base/addresses.ts';
import { getNetworkScope } from '../../base/network-scope.ts';

/** A socket address at which an XMPP server accepts clients. */
export interface XmppServerAddress {
  readonly address: string;
  readonly port: number;
  /** TLS from the first byte (XEP-0368). */
  readonly usesDirectTls: boolean;
  readonly isLoopback: boolean;
}

interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

type Target = Pick<SrvRecord, 'name' | 'port'> & { readonly usesDirectTls: boolean };

export interface DnsResolver {
  /** Returns an empty array if there are no SRV records. */
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
  /** Rejects if the host is unknown. */
  resolveAddresses(host: string): Promise<readonly string[]>;
}

/** No address may be used. The message is for the admin. */
export class NoServerFoundError extends Error {
  /** True if the domain has no XMPP server; false if its server is on a private network. */
  readonly isUnknownDomain: boolean;

  constructor(message: string, { isUnknownDomain }: { isUnknownDomain: boolean }) {
    super(message);
    this.isUnknownDomain = isUnknownDomain;
  }
}

const CLIENT_PORT = 5222;
const MAX_ADDRESSES = 8;
const isLoopbackAddress = createAddressMatcher(['127.0.0.0/8', '::1']);

/** The resolver of this machine. SRV queries give up after four seconds. */
export function createSystemDnsResolver(): DnsResolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  return {
    // If DNS itself fails, the lookup of the host address fails too and reports it.
    resolveSrv: (name) => resolver.resolveSrv(name).catch(() => []),
    async resolveAddresses(host) {
      return (await lookupHost(host, { all: true })).map(({ address }) => address);
    },
  };
}

/** Returns the addresses of the server that the config names. They may be on a private network. */
export async function resolveConfiguredServer(
  dns: DnsResolver,
  { host, port }: { readonly host: string; readonly port: number },
  usesDirectTls: boolean,
): Promise<XmppServerAddress[]> {
  const addresses = isIP(host) ? [host] : await dns.resolveAddresses(host);
  return addresses.map((address) => toServerAddress(address, { port, usesDirectTls }));
}

/**
 * Returns the public addresses of a domain's server in the order of preference (RFC 6120 §3.2, XEP-0368), at most eight.
 * Rejects with a `NoServerFoundError`.
 */
export async function resolveDomain(
  dns: DnsResolver,
  domain: string,
  random = Math.random,
): Promise<XmppServerAddress[]> {
  const host = domainToASCII(domain);
  if (host === '' || isIP(withoutBrackets(domain))) {
    throw new NoServerFoundError(`${domain} is not a domain name`, { isUnknownDomain: true });
  }
  const [startTls, directTls] = await Promise.all([
    dns.resolveSrv(`_xmpp-client._tcp.${host}`),
    dns.resolveSrv(`_xmpps-client._tcp.${host}`),
  ]);
  const records = sortSrvRecords(
    [
      ...startTls.map((record) => ({ ...record, usesDirectTls: false })),
      ...directTls.map((record) => ({ ...record, usesDirectTls: true })),
    ],
    random,
  );
  // The target "." means that the service is not available (RFC 2782).
  const targets = records.filter(({ name }) => name !== '' && name !== '.');
  if (records.length > 0 && targets.length === 0) {
    throw new NoServerFoundError(`${domain} has no XMPP server for clients`, { isUnknownDomain: true });
  }
  const fallback = { name: host, port: CLIENT_PORT, usesDirectTls: false };
  return publicOnly(domain, await resolveTargets(dns, targets.length > 0 ? targets : [fallback]));
}

async function resolveTargets(dns: DnsResolver, targets: readonly Target[]): Promise<XmppServerAddress[]> {
  const resolved: XmppServerAddress[] = [];
  for (const target of targets) {
    if (resolved.length >= MAX_ADDRESSES) break;
    const addresses = await dns.resolveAddresses(target.name).catch(() => []);
    resolved.push(...addresses.map((address) => toServerAddress(address, target)));
  }
  return resolved.slice(0, MAX_ADDRESSES);
}

function toServerAddress(address: string, { port, usesDirectTls }: Omit<Target, 'name'>): XmppServerAddress {
  return { address, port, usesDirectTls, isLoopback: isLoopbackAddress(address) };
}

/** Users choose the domain, and its owner could point it at a private network of this installation. */
function publicOnly(domain: string, addresses: readonly XmppServerAddress[]): XmppServerAddress[] {
  const [first] = addresses;
  if (first === undefined) {
    throw new NoServerFoundError(`no XMPP server is known for ${domain}`, { isUnknownDomain: true });
  }
  const publicAddresses = addresses.filter(({ address }) => getNetworkScope(address) === 'public');
  if (publicAddresses.length > 0) return publicAddresses;
  throw new NoServerFoundError(
    `${domain} resolves to this machine or a private network (${first.address}): set messages.server`,
    { isUnknownDomain: false },
  );
}

/** Sorts by priority; records of equal priority are in a random order weighted by `weight` (RFC 2782). */
function sortSrvRecords<T extends SrvRecord>(records: readonly T[], random: () => number): T[] {
  const remaining = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const sorted: T[] = [];
  while (remaining.length > 0) {
    const candidates = remaining.filter(({ priority }) => priority === remaining[0]?.priority);
    const totalWeight = candidates.reduce((sum, { weight }) => sum + weight, 0);
    let position = random() * totalWeight;
    const drawn = candidates.find(({ weight }) => {
      position -= weight;
      return position < 0;
    });
    const next = drawn ?? candidates[0];
    if (next === undefined) break;
    sorted.push(next);
    remaining.splice(remaining.indexOf(next), 1);
  }
  return sorted;
}
