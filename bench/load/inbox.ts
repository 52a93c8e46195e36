import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, XmppClient } from './xmpp-client.ts';

const END = '</message>';
/** Milliseconds without a message after which no more are on their way. */
const QUIET = 300;
const PATIENCE = 60_000;

/** Somebody who is online and counts what is sent to them. */
export class MessageCounter {
  /** Messages so far. */
  arrived = 0;
  /** The last one as it came. */
  last = '';
  readonly #client: XmppClient;
  #begun = '';

  private constructor(client: XmppClient) {
    this.#client = client;
    client.goOnline((text) => this.#take(text));
  }

  static async open(account: Account): Promise<MessageCounter> {
    const inbox = new MessageCounter(await XmppClient.login(account));
    // Their own presence comes back when they are online.
    await inbox.#until(() => inbox.#begun.includes('<presence'), 'their presence');
    return inbox;
  }

  /** Waits until there have been so many, and says how many milliseconds that took. */
  async waitForCount(count: number): Promise<number> {
    const started = performance.now();
    await this.#until(() => this.arrived >= count, `message ${count}`);
    return performance.now() - started;
  }

  /** Waits until no more come. */
  async waitUntilQuiet(): Promise<void> {
    for (let before = -1; before !== this.arrived; ) {
      before = this.arrived;
      await sleep(QUIET);
    }
  }

  close(): void {
    this.#client.end();
  }

  #take(text: string): void {
    const messages = (this.#begun + text).split(END);
    this.#begun = messages.pop() ?? '';
    this.arrived += messages.length;
    this.last = messages.at(-1) ?? this.last;
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE;
    while (!isSo()) {
      if (performance.now() > deadline) throw new Error(`${what} never came: ${this.arrived} messages did`);
      await sleep(5);
    }
  }
}
