import { isIP } from 'node:net';
import type { NetworkScope } from '../../base/network-scope.ts';

/** Why a picture is not there; the message is for the log. */
export class ImageError extends Error {}

/** Which addresses a URL may lead to: all but special ones, public ones, or the very one it names. */
export type AddressTrust = 'named' | 'matched' | 'literal';

/**
 * Is this URL on the list of a hook (`images_from`)? A host named in full may be an inner one, because the admin
 * wrote it; `*.domain` and `*` stand for names that others may choose, so they never lead inside.
 */
export function matchImageHost(url: URL, hosts: readonly string[]): AddressTrust {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new ImageError('neither http nor https');
  if (url.username !== '' || url.password !== '') throw new ImageError('the URL holds a user or password');
  const usual = url.protocol === 'https:' ? '443' : '80';
  const place = `${url.hostname}:${url.port === '' ? usual : url.port}`;
  const isListed = (entry: string) => fits(entry, url, place);
  const exact = hosts.filter((entry) => !entry.startsWith('*')).some(isListed);
  if (exact) return isIpLiteral(url.hostname) ? 'literal' : 'named';
  if (hosts.some(isListed)) return 'matched';
  throw new ImageError(`${place} is not in images_from`);
}

/** An entry without a port means the usual ones. */
function fits(entry: string, url: URL, place: string): boolean {
  const port = /:\d+$/.exec(entry)?.[0];
  if (port === undefined ? url.port !== '' : !place.endsWith(port)) return false;
  const host = port === undefined ? entry : entry.slice(0, -port.length);
  if (host === '*') return true;
  return host.startsWith('*.') ? url.hostname.endsWith(host.slice(1)) : url.hostname === host;
}

export function isIpLiteral(hostname: string): boolean {
  return isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
}

export function isAddressAllowed(trust: AddressTrust, reach: NetworkScope): boolean {
  if (trust === 'literal') return true;
  return reach === 'public' || (trust === 'named' && reach === 'own');
}
