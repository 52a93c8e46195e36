import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, XmppClient } from './xmpp-client.ts';

const END = '</message>';
/** Milliseconds without a message after which no further message is expected. */
const QUIET_MS = 300;
const TIMEOUT_MS = 60_000;

/** An online client that counts its messages. */
export class MessageCounter {
  /** Messages received so far. */
  arrived = 0;
  /** The last message, as received. */
  last = '';
  readonly #client: XmppClient;
  #buffer = '';

  private constructor(client: XmppClient) {
    this.#client = client;
    client.goOnline((text) => this.#take(text));
  }

  static async open(account: Account): Promise<MessageCounter> {
    const inbox = new MessageCounter(await XmppClient.login(account));
    // The server reflects the client's presence once it is online.
    await inbox.#until(() => inbox.#buffer.includes('<presence'), 'the presence of the client');
    return inbox;
  }

  /** Waits for `count` messages; returns the waiting time in milliseconds. */
  async waitForCount(count: number): Promise<number> {
    const started = performance.now();
    await this.#until(() => this.arrived >= count, `message ${count}`);
    return performance.now() - started;
  }

  /** Waits until no more messages arrive. */
  async waitUntilQuiet(): Promise<void> {
    for (let before = -1; before !== this.arrived; ) {
      before = this.arrived;
      await sleep(QUIET_MS);
    }
  }

  close(): void {
    this.#client.end();
  }

  #take(text: string): void {
    const messages = (this.#buffer + text).split(END);
    this.#buffer = messages.pop() ?? '';
    this.arrived += messages.length;
    this.last = messages.at(-1) ?? this.last;
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + TIMEOUT_MS;
    while (!holds()) {
      if (performance.now() > deadline) {
        throw new Error(`timed out waiting for ${what}: ${this.arrived} messages have arrived`);
      }
      await sleep(5);
    }
  }
}
