/** Scans files for malware. */
export interface Scanner {
  /**
   * Scans bytes. Throws `ScannerError` if the scanner cannot be reached, fails, or has not answered when the signal aborts. Ends the
   * iteration of `bytes` early if the scanner has replied.
   */
  scan(address: ScannerAddress, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ScanResult>;
}

/** A Unix socket or a TCP port. */
export type ScannerAddress = { readonly path: string } | { readonly host: string; readonly port: number };

export type ScanResult =
  | { readonly kind: 'clean' }
  /** `signature`: the name of the malware. */
  | { readonly kind: 'infected'; readonly signature: string }
  /** The scanner accepts no files of this size. */
  | { readonly kind: 'too_large' };

/** The error of a scanner that cannot be used now. The message has the address and the reason, for the log. */
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
