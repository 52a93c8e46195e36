import { isIPv6 } from 'node:net';
import { createAddressMatcher } from './addresses.ts';

/** Networks of one's own: loopback, private, carrier-grade NAT, ULA. */
const isOwn = createAddressMatcher([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
]);
const isOwn6 = createAddressMatcher(['::1', 'fc00::/7']);

/**
 * Where nothing of others is called (IANA special-purpose registries): this host, link-local with the metadata
 * services of clouds, documentation, benchmarks, multicast, reserved.
 */
const isSpecial = createAddressMatcher([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);
/** Of IPv6 only global unicast counts, without what wraps or documents other addresses. */
const isGlobal6 = createAddressMatcher(['2000::/3']);
const isSpecial6 = createAddressMatcher(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** Where an address leads: out into the world, to one's own networks, or nowhere that a call could want to go. */
export type NetworkScope = 'public' | 'own' | 'never';

export function getNetworkScope(address: string): NetworkScope {
  if (isIPv6(address)) {
    if (isOwn6(address)) return 'own';
    return isGlobal6(address) && !isSpecial6(address) ? 'public' : 'never';
  }
  if (isOwn(address)) return 'own';
  return isSpecial(address) ? 'never' : 'public';
}
