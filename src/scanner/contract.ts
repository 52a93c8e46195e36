/** Scans files for malware. */
export interface Scanner {
  /**
   * Scans bytes. Throws `ScannerError` if the scanner cannot be reached, fails, or has not answered when the signal aborts. Ends
   * the iteration of the bytes early if it needs no more of them.
   */
  scan(address: ScannerAddress, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ScanResult>;
}

/** A Unix socket or a TCP port. */
export type ScannerAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export type ScanResult =
  | { readonly kind: 'clean' }
  /** `signature`: the name that the scanner gives to what it has found. */
  | { readonly kind: 'infected'; readonly signature: string }
  /** The scanner accepts no files of this size. */
  | { readonly kind: 'too_large' };

/** The scanner cannot be used now. The message names the address and the reason, for the log. */
export class ScannerError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ScannerError';
  }
}

/** Formats an address as in the config: `unix:/run/clamav/clamd.ctl` or `tcp://127.0.0.1:3310`. */
export function formatScannerAddress(address: ScannerAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
