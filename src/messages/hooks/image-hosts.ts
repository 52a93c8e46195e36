import { isIP } from 'node:net';
import { withoutBrackets } from '../../base/addresses.ts';
import type { NetworkScope } from '../../base/network-scope.ts';

/** The reason why an image is missing. The message is for the log. */
export class ImageError extends Error {}

/**
 * The addresses that a URL may resolve to.
 *
 * | trust   | entry in `images_from`     | allowed addresses |
 * |---------|----------------------------|-------------------|
 * | literal | the IP address of the URL  | this address |
 * | named   | the full host name         | public and private |
 * | matched | `*.domain` or `*`          | public |
 */
export type AddressTrust = 'named' | 'matched' | 'literal';

/**
 * Checks a URL against `images_from` of a hook. A host that the admin named in full may be in a private network. A
 * pattern may not, because others can choose the name. Throws `ImageError` if no entry matches.
 */
export function matchImageHost(url: URL, hosts: readonly string[]): AddressTrust {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ImageError('the URL is neither http nor https');
  }
  if (url.username !== '' || url.password !== '') {
    throw new ImageError('the URL contains a user name or password');
  }
  const defaultPort = url.protocol === 'https:' ? '443' : '80';
  const hostAndPort = `${url.hostname}:${url.port === '' ? defaultPort : url.port}`;
  const isMatch = (entry: string) => matches(entry, url, hostAndPort);
  const isNamed = hosts.filter((entry) => !entry.startsWith('*')).some(isMatch);
  if (isNamed) return isIpLiteral(url.hostname) ? 'literal' : 'named';
  if (hosts.some(isMatch)) return 'matched';
  throw new ImageError(`${hostAndPort} is not listed in images_from`);
}

/** An entry without a port matches the default port only. */
function matches(entry: string, url: URL, hostAndPort: string): boolean {
  const port = /:\d+$/.exec(entry)?.[0];
  if (port === undefined ? url.port !== '' : !hostAndPort.endsWith(port)) return false;
  const host = port === undefined ? entry : entry.slice(0, -port.length);
  if (host === '*') return true;
  return host.startsWith('*.') ? url.hostname.endsWith(host.slice(1)) : url.hostname === host;
}

export function isIpLiteral(hostname: string): boolean {
  return isIP(withoutBrackets(hostname)) !== 0;
}

export function isAddressAllowed(trust: AddressTrust, scope: NetworkScope): boolean {
  if (trust === 'literal') return true;
  return scope === 'public' || (trust === 'named' && scope === 'private');
}
