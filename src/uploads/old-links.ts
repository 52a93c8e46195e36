import { sha256Hex } from '../base/ids.ts';
import type { Ledger, OldPath } from '../ledger/contract/ledger.ts';

/** Finds the files of services that were taken over by the links that these services gave out. */
export interface OldLinks {
  /** The locator of the file that a request's path would mean; undefined where no old link looks like that. */
  findLocator(path: string): Promise<string | undefined>;
  /** The same without asking anybody, by what was known last. */
  cachedLocator(path: string): string | undefined;
}

/** Milliseconds for which the ledger's word on the paths is taken: an import beside us takes effect within them. */
const FRESH_MS = 1000;

/** `prefixes`: paths, without a slash at their end, that may have been cut off what a request asks for. */
export function createOldLinks(
  { ledger }: { readonly ledger: Pick<Ledger, 'listOldPaths'> },
  prefixes: readonly string[] = [],
): OldLinks {
  let asked: Promise<readonly OldPath[]> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let known: readonly OldPath[] = [];
  const paths = () => {
    const now = performance.now();
    if (asked === undefined || now - askedAt >= FRESH_MS) {
      askedAt = now;
      asked = ledger.listOldPaths();
      asked.then(
        (told) => {
          known = told;
        },
        // Asked again next time.
        () => {
          askedAt = Number.NEGATIVE_INFINITY;
        },
      );
    }
    return asked;
  };
  return {
    findLocator: async (path) => locatorForOldLink(await paths(), path, prefixes),
    cachedLocator: (path) => locatorForOldLink(known, path, prefixes),
  };
}

/**
 * The locator of the file that a path means, as it stands in a request: percent-encoded in any way or not at
 * all. Of several old paths that it lies below the longest counts. Nothing is normalised.
 */
export function locatorForOldLink(
  oldPaths: readonly OldPath[],
  path: string,
  prefixes: readonly string[] = [],
): string | undefined {
  const asked = ['', ...prefixes].map((prefix) => decode(`${prefix}${path}`));
  let found: { readonly namespace: string; readonly length: number; readonly rest: Buffer } | undefined;
  for (const { path: text, namespace } of oldPaths) {
    const base = Buffer.from(text);
    const bytes = asked.find((one) => one.length > base.length && one.subarray(0, base.length).equals(base));
    if (bytes && base.length > (found?.length ?? 0)) {
      found = { namespace, length: base.length, rest: bytes.subarray(base.length) };
    }
  }
  return found && `${found.namespace}:${sha256Hex(found.rest)}`;
}

/**
 * How the file is found that a door, or the service before it, knows by what follows the door's path. Names that no
 * door would let in any more may have been let in by that service. Undefined for an encoded slash, which none had.
 */
export function locatorForSubpath(namespace: string, below: string): string | undefined {
  return /%2f/i.test(below) ? undefined : `${namespace}:${sha256Hex(decode(below))}`;
}

/** Every byte that is encoded, whatever it is: only a hash is made of it. One character stands for one byte. */
function decode(path: string): Buffer {
  const text = path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(text, 'latin1');
}
