import { lookup as lookupHost, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { createAddressMatcher } from '../../base/addresses.ts';
import { getNetworkScope } from '../../base/network-scope.ts';

/** Where a server for clients may be reached. */
export interface XmppServerAddress {
  readonly address: string;
  readonly port: number;
  /** TLS from the first byte (XEP-0368). */
  readonly usesDirectTls: boolean;
  /** The address is of this machine. */
  readonly isLoopback: boolean;
}

interface Service {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** The name service, as far as this needs it. */
export interface DnsResolver {
  /** SRV records; empty where there are none. */
  resolveSrv(name: string): Promise<readonly Service[]>;
  /** Rejects where the host is not known. */
  resolveAddresses(host: string): Promise<readonly string[]>;
}

/** No places, with the reason in an admin's words. */
export class NoServerFoundError extends Error {
  /** The domain itself is not known. */
  readonly isUnknownDomain: boolean;

  constructor(message: string, { isUnknownDomain }: { isUnknownDomain: boolean }) {
    super(message);
    this.isUnknownDomain = isUnknownDomain;
  }
}

const CLIENT_PORT = 5222;
const MOST_PLACES = 8;
const isLocal = createAddressMatcher(['127.0.0.0/8', '::1']);
/** The name service of this machine; gives up after some seconds. */
export function createSystemDnsResolver(): DnsResolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  return {
    // Where this fails for other reasons, the address itself will tell.
    resolveSrv: (name) => resolver.resolveSrv(name).catch(() => []),
    async resolveAddresses(host) {
      return (await lookupHost(host, { all: true })).map(({ address }) => address);
    },
  };
}

/** The places of the server that the config names. */
export async function resolveConfiguredServer(
  names: DnsResolver,
  { host, port }: { readonly host: string; readonly port: number },
  usesDirectTls: boolean,
): Promise<XmppServerAddress[]> {
  const addresses = isIP(host) ? [host] : await names.resolveAddresses(host);
  return addresses.map((address) => ({ address, port, usesDirectTls, isLoopback: isLocal(address) }));
}

/** The places of a domain (RFC 6120 §3.2, XEP-0368), the first to be tried first. Rejects with `NoServerFoundError`. */
export async function resolveDomain(
  names: DnsResolver,
  domain: string,
  random = Math.random,
): Promise<XmppServerAddress[]> {
  const host = domainToASCII(domain);
  if (host === '' || isIP(domain.replace(/^\[|\]$/g, ''))) throw noPlace(`${domain} is no domain`, true);
  const [plain, direct] = await Promise.all([
    names.resolveSrv(`_xmpp-client._tcp.${host}`),
    names.resolveSrv(`_xmpps-client._tcp.${host}`),
  ]);
  const services = inOrder(
    [
      ...plain.map((service) => ({ ...service, usesDirectTls: false })),
      ...direct.map((service) => ({ ...service, usesDirectTls: true })),
    ],
    random,
  );
  const offered = services.filter(({ name }) => name !== '' && name !== '.');
  if (services.length > 0 && offered.length === 0) throw noPlace(`${domain} has no server for clients`, true);
  if (offered.length > 0) return outside(domain, await addressesOf(names, offered));
  const fallback = { name: host, port: CLIENT_PORT, usesDirectTls: false };
  return outside(domain, await addressesOf(names, [fallback]));
}

type Offered = Pick<Service, 'name' | 'port'> & { readonly usesDirectTls: boolean };

async function addressesOf(names: DnsResolver, services: readonly Offered[]): Promise<XmppServerAddress[]> {
  const places: XmppServerAddress[] = [];
  for (const { name, port, usesDirectTls } of services) {
    if (places.length >= MOST_PLACES) break;
    const addresses = await names.resolveAddresses(name).catch(() => []);
    places.push(
      ...addresses.map((address) => ({ address, port, usesDirectTls, isLoopback: isLocal(address) })),
    );
  }
  return places.slice(0, MOST_PLACES);
}

function outside(domain: string, places: readonly XmppServerAddress[]): XmppServerAddress[] {
  if (places.length === 0) throw noPlace(`no XMPP server is known for ${domain}`, true);
  // Whoever owns a domain could point it at what is behind our walls.
  const fit = places.filter(({ address }) => getNetworkScope(address) === 'public');
  if (fit.length > 0) return fit;
  throw noPlace(
    `${domain} lies on this machine or its network (${places[0]?.address}): name its server in messages.server`,
    false,
  );
}

function noPlace(message: string, isUnknownDomain: boolean): NoServerFoundError {
  return new NoServerFoundError(message, { isUnknownDomain });
}

/** RFC 2782: by priority, and among equals by a draw that weighs them. */
function inOrder<T extends Service>(services: readonly T[], random: () => number): T[] {
  const left = [...services].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: T[] = [];
  while (left.length > 0) {
    const equal = left.filter(({ priority }) => priority === left[0]?.priority);
    const total = equal.reduce((sum, { weight }) => sum + weight, 0);
    let drawn = random() * total;
    const chosen = equal.find(({ weight }) => {
      drawn -= weight;
      return drawn < 0;
    });
    const next = chosen ?? equal[0];
    if (next === undefined) break;
    ordered.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return ordered;
}
