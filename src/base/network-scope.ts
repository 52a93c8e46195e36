import { isIPv6 } from 'node:net';
import { createAddressMatcher } from './addresses.ts';

/** Private networks: loopback, RFC 1918, carrier-grade NAT (RFC 6598). */
const isPrivate = createAddressMatcher([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
]);
/** Loopback and unique local addresses (RFC 4193). */
const isPrivate6 = createAddressMatcher(['::1', 'fc00::/7']);

/**
 * Special-purpose addresses (IANA IPv4 Special-Purpose Address Registry): this host, link-local (used by metadata services of clouds),
 * documentation, benchmarks, multicast, reserved.
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
/** Global unicast IPv6, except for ranges that embed IPv4 addresses or are for documentation. */
const isGlobal6 = createAddressMatcher(['2000::/3']);
const isSpecial6 = createAddressMatcher(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** Porter never connects to `blocked` addresses. */
export type NetworkScope = 'public' | 'private' | 'blocked';

/** Returns the scope of an IP address. */
export function getNetworkScope(address: string): NetworkScope {
  if (isIPv6(address)) {
    if (isPrivate6(address)) return 'private';
    return isGlobal6(address) && !isSpecial6(address) ? 'public' : 'blocked';
  }
  if (isPrivate(address)) return 'private';
  return isSpecial(address) ? 'blocked' : 'public';
}
