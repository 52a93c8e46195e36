import { InvalidArgumentError } from 'commander';
import { describeInvalidJid, parseBareJid } from '../../base/jid.ts';
import { describeMissingUnit, parsePeriod, parseSize } from '../../base/units.ts';

/** Argument parsers for commander. They throw `InvalidArgumentError`, which ends the command with exit code 2. */

export function parseJidOption(text: string): string {
  const jid = parseBareJid(text);
  if (jid === undefined)
    throw new InvalidArgumentError(`${describeInvalidJid(text)} Give a JID such as romeo@example.org.`);
  return jid;
}

/** Parses a period to milliseconds. */
export function parsePeriodOption(text: string): number {
  const period = parsePeriod(text);
  if (period === undefined) {
    const missing = describeMissingUnit(text);
    throw new InvalidArgumentError(
      missing === undefined ? 'Give a period such as 90s, 12h or 30d.' : `${missing}.`,
    );
  }
  return period;
}

/** Parses a size to bytes. */
export function parseSizeOption(text: string): number {
  const size = parseSize(text);
  if (size === undefined) throw new InvalidArgumentError('Give a size such as 500M, 500 MiB or 50 GiB.');
  return size;
}

/** Parses an http or https URL. Removes slashes at its end. */
export function parseUrlOption(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new InvalidArgumentError('Give a URL such as https://upload.example.org.');
  }
  return url.href.replace(/\/+$/, '');
}

/** Parses a port number. 0 is any free port. */
export function parsePortOption(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Give a port from 0 to 65535.');
  return port;
}

/** Parses a whole number of at least 1. */
export function parseCountOption(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError('Give a whole number of at least 1.');
  return count;
}
