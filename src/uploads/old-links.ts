import { sha256Hex } from '../base/ids.ts';
import type { Ledger, OldPath } from '../ledger/contract/ledger.ts';

/** Finds files of imported services by the links that these services once gave out. */
export interface OldLinks {
  /** Returns the locator that a request's path stands for. Undefined if the path is not below an old path. */
  findLocator(path: string): Promise<string | undefined>;
  /** Like `findLocator`, with the old paths that were read last. Does not ask the ledger. */
  cachedLocator(path: string): string | undefined;
}

/** Milliseconds for which the list of old paths is used before it is read again. An import takes effect within this time. */
const TTL_MS = 1000;

/** `prefixes`: paths without a trailing slash that a proxy in front may have cut off. */
export function createOldLinks(
  { ledger }: { readonly ledger: Pick<Ledger, 'listOldPaths'> },
  prefixes: readonly string[] = [],
): OldLinks {
  let latest: readonly OldPath[] = [];
  let reading: Promise<readonly OldPath[]> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;

  // Not `memoizeFor`: a failure must not be kept, and `cachedLocator` needs the last result synchronously.
  function readPaths(): Promise<readonly OldPath[]> {
    const now = performance.now();
    if (reading === undefined || now - readAt >= TTL_MS) {
      readAt = now;
      reading = ledger.listOldPaths();
      reading.then(
        (paths) => {
          latest = paths;
        },
        () => {
          readAt = Number.NEGATIVE_INFINITY;
        },
      );
    }
    return reading;
  }

  return {
    findLocator: async (path) => locatorForOldLink(await readPaths(), path, prefixes),
    cachedLocator: (path) => locatorForOldLink(latest, path, prefixes),
  };
}

/**
 * Returns the locator that a path, as sent in a request, stands for. Any percent-encoding is accepted. The longest
 * matching old path counts. Dot segments and double slashes are not normalized.
 */
export function locatorForOldLink(
  oldPaths: readonly OldPath[],
  path: string,
  prefixes: readonly string[] = [],
): string | undefined {
  const candidates = ['', ...prefixes].map((prefix) => decode(`${prefix}${path}`));
  let found: { readonly namespace: string; readonly length: number; readonly rest: Buffer } | undefined;
  for (const { path: text, namespace } of oldPaths) {
    const base = Buffer.from(text);
    const bytes = candidates.find(
      (one) => one.length > base.length && one.subarray(0, base.length).equals(base),
    );
    if (bytes && base.length > (found?.length ?? 0)) {
      found = { namespace, length: base.length, rest: bytes.subarray(base.length) };
    }
  }
  return found && `${found.namespace}:${sha256Hex(found.rest)}`;
}

/**
 * Returns the locator of a file by the part of its path after the endpoint's own path. Accepts names that uploads refuse
 * today, because an imported service may have accepted them. Undefined for an encoded slash, which no service used.
 */
export function locatorForSubpath(namespace: string, below: string): string | undefined {
  return /%2f/i.test(below) ? undefined : `${namespace}:${sha256Hex(decode(below))}`;
}

/** Decodes every percent-encoded byte. The result is only hashed, so it need not be valid UTF-8. */
function decode(path: string): Buffer {
  const text = path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(text, 'latin1');
}
