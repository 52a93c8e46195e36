import { BlockList, isIP, isIPv6 } from 'node:net';

/** An address to listen on, as an argument of `net.Server.listen`. Without a host, all addresses of the machine. */
export type ListenAddress = { readonly port: number; readonly host?: string } | { readonly path: string };

/** Returns whether a host name or IP address, with or without the brackets of a URL, is this machine itself. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|::1)$/i.test(host);
}

/** Returns the host name of a URL without the brackets around an IPv6 address, as sockets and DNS functions expect it. */
export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

export interface AddressRange {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Parses an IP address with or without a prefix length, such as `10.0.0.0/8` or `::1`. Returns undefined if invalid. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const match = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text.trim());
  const address = match?.[1] ?? '';
  const version = isIP(address);
  if (version === 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = match?.[2] === undefined ? bits : Number(match[2]);
  return prefix > bits ? undefined : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/**
 * Creates a function that returns whether an address lies in one of the ranges. IPv4 ranges also match IPv4-mapped
 * IPv6 addresses (`::ffff:127.0.0.1`). Invalid ranges match nothing; the config rejects them earlier.
 */
export function createAddressMatcher(ranges: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList();
  for (const text of ranges) {
    const range = parseAddressRange(text);
    if (range) list.addSubnet(range.address, range.prefix, range.family);
  }
  return (address) => {
    if (address === undefined) return false;
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** Returns the IPv4 address, or the /64 network of an IPv6 address, because one subscriber usually has a whole /64. */
export function networkOf(address: string): string {
  const unmapped = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(unmapped)) return unmapped;
  const [head = '', tail] = (unmapped.split('%')[0] ?? '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  // `::` stands for as many zero groups as are missing from eight.
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  const all = [...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
