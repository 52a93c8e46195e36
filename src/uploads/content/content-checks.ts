import { memoizeFor } from '../../base/async.ts';
import { createFairPlaces } from '../../base/concurrency-limit.ts';
import type { Logger } from '../../base/log.ts';
import { formatSpan } from '../../base/units.ts';
import type { Ledger } from '../../ledger/contract/ledger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import {
  formatScannerAddress,
  type Scanner,
  type ScannerAddress,
  ScannerError,
  type ScanResult,
} from '../../scanner/contract.ts';

/** `uploads.hash` and `uploads.scan`. */
export interface ContentRules {
  /** Computes the hash of every file, also while no hash is blocked. */
  readonly hash: boolean;
  readonly scan: ScanRules | null;
}

export interface ScanRules {
  readonly address: ScannerAddress;
  readonly whenUnavailable: 'refuse' | 'accept';
  /** Bytes. Larger files are not scanned. */
  readonly maxSize: number;
  readonly whenLarger: 'refuse' | 'accept';
  /** Milliseconds for a scan, including the wait for a free connection. */
  readonly timeoutMs: number;
  /** Maximum number of concurrent scans in this process. */
  readonly connections: number;
  /** Milliseconds for which infected files are kept; 0 = they are not kept. */
  readonly quarantineMs: number;
}

/** The checks of the content of files in this process. */
export interface ContentChecks {
  /** Returns whether the hash of a new file is needed. */
  needsHash(): Promise<boolean>;
  /** Returns whether any hash is blocked. */
  hasBlockedHashes(): Promise<boolean>;
  /**
   * Scans a file as soon as a connection is free for its owner. Returns undefined if the scanner is not available. Rejects if `read`
   * fails, with its error.
   */
  scan(
    rules: ScanRules,
    owner: string,
    read: () => AsyncIterable<Uint8Array>,
  ): Promise<ScanResult | undefined>;
}

/** Processes notice after this time that the first hash was blocked. Milliseconds. */
const BLOCKED_CHECK_MS = 1000;

interface ContentCheckServices {
  readonly ledger: Pick<Ledger, 'hasBlockedHashes'>;
  readonly rules: () => ContentRules | undefined;
  readonly scanner: Scanner;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'fileScanned'>;
}

export function createContentChecks({
  ledger,
  rules,
  scanner,
  log,
  metrics,
}: ContentCheckServices): ContentChecks {
  const hasBlockedHashes = memoizeFor(BLOCKED_CHECK_MS, () => ledger.hasBlockedHashes());
  const places = createFairPlaces({ places: () => rules()?.scan?.connections ?? 1 });
  let isDown = false;

  /** Logs only changes, because every upload notices a missing scanner. */
  function reportAvailability(scan: ScanRules, err?: ScannerError): void {
    const clamd = formatScannerAddress(scan.address);
    if (err && !isDown) {
      const effect = scan.whenUnavailable === 'refuse' ? 'refused' : 'stored without a scan';
      log.error(
        { err, clamd },
        `the virus scanner is not available; uploads are ${effect} until it answers. Check that clamd is running, and uploads.scan.clamd`,
      );
    }
    if (!err && isDown) log.info({ clamd }, 'the virus scanner answers again');
    isDown = err !== undefined;
  }

  async function scanAtPlace(
    scan: ScanRules,
    owner: string,
    read: () => AsyncIterable<Uint8Array>,
  ): Promise<ScanResult> {
    const signal = AbortSignal.timeout(scan.timeoutMs);
    const giveBack = await places.take(owner, signal).catch((error: unknown) => {
      const text = `all ${scan.connections} connections to it were busy for ${formatSpan(scan.timeoutMs)} (uploads.scan.connections)`;
      throw new ScannerError(text, error);
    });
    try {
      return await scanner.scan(scan.address, read(), signal);
    } finally {
      giveBack();
    }
  }

  return {
    hasBlockedHashes,
    needsHash: async () => rules()?.hash === true || (await hasBlockedHashes()),
    async scan(scan, owner, read) {
      const start = performance.now();
      try {
        const result = await scanAtPlace(scan, owner, read);
        metrics.fileScanned(result.kind, performance.now() - start);
        reportAvailability(scan);
        return result;
      } catch (error) {
        if (!(error instanceof ScannerError)) throw error;
        metrics.fileScanned('unavailable', performance.now() - start);
        reportAvailability(scan, error);
        return undefined;
      }
    },
  };
}
