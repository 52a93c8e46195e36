/**
 * The bytes of an upload as they come in, whatever brings them. The use cases pull; the carrier (a request, a
 * part of a form) holds its sender back meanwhile.
 */
export interface IncomingBody {
  /** All checks have passed: the sender, if it waits for that, may go on. Called at most once. */
  accept(): void;
  /**
   * The bytes in batches of about `batchSize()` bytes, the last one smaller. Called at most once. Fails with a
   * `Refusal` where the sender breaks off or stands still, or with the reason given to `abort`.
   */
  batches(batchSize: () => number): AsyncIterable<readonly Uint8Array[]>;
  /** Ends the body: `batches` fails with this reason. */
  abort(reason: Error): void;
  /** Bytes that have come so far. */
  readonly received: number;
  /** Has the last byte come? */
  readonly complete: boolean;
  /** Milliseconds for which the sender has been silent; 0 while it is being held back. */
  idleFor(): number;
}
