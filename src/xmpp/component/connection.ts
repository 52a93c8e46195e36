import { isIPv6, type Socket } from 'node:net';
import { Component } from '@xmpp/component-core';
import type { Element } from '@xmpp/xml';

export interface ComponentConnectionOptions {
  /** Of the component. */
  readonly jid: string;
  readonly secret: string;
  readonly server: { readonly host: string; readonly port: number };
}

/** Gets a stanza and the way back on the stream that brought it. Must not throw. */
export type StanzaListener = (stanza: Element, send: ComponentConnection['send']) => void;

/** One stream to the XMPP server, from its handshake to its end. */
export interface ComponentConnection {
  /** Rejects where the stream is gone. */
  send(element: Element): Promise<void>;
  /** Writes at once; throws where the stream is gone. */
  write(text: string): void;
  /** Changes whenever the server says anything at all. */
  receivedCount(): number;
  /** Resolves when the stream has ended, with the reason where it was no polite end. */
  readonly ended: Promise<unknown>;
  /** Says goodbye and resolves once the socket is closed. */
  close(): Promise<void>;
  /** Drops the connection for a reason of ours. */
  destroy(reason: Error): void;
}

/** A busy server may take its time; one that is silent for so long is no server. */
const HANDSHAKE_MS = 10_000;

/** Connects and authenticates; rejects with what the server, or the system, had against it. */
export async function openComponentConnection(
  target: ComponentConnectionOptions,
  onStanza: StanzaListener,
  signal: AbortSignal,
): Promise<ComponentConnection> {
  const entity = new GuardedComponent({ service: serviceOf(target), domain: target.jid });
  let fault: unknown;
  entity.on('error', (error: unknown) => {
    fault ??= error;
  });
  const ended = new Promise<unknown>((resolve) => {
    entity.once('disconnect', () => {
      resolve(fault);
      // Whatever waits for an answer inside the library must not wait for its time limit.
      entity.emit('error', new Error('the connection has ended'));
    });
  });
  // The server has said its last word.
  entity.on('close', () => entity.leave());
  const send = (element: Element) => entity.send(element);
  entity.on('stanza', (stanza: Element) => onStanza(stanza, send));
  const drop = (reason: Error) => {
    fault ??= reason;
    entity.socket?.destroy();
  };
  const abort = () => drop(new Error('stopped'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([shakeHands(entity, target, drop), ended.then(failed)]);
  } catch (error) {
    drop(error as Error);
    throw fault ?? error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return {
    send,
    write: (text) => entity.say(text),
    receivedCount: () => entity.heard,
    ended,
    async close() {
      entity.leave();
      await ended;
    },
    destroy: drop,
  };
}

function failed(fault: unknown): never {
  throw fault ?? new Error('the server closed the connection');
}

function serviceOf({ server: { host, port } }: ComponentConnectionOptions): string {
  return `xmpp://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

async function shakeHands(
  entity: GuardedComponent,
  target: ComponentConnectionOptions,
  drop: (reason: Error) => void,
): Promise<void> {
  const timer = setTimeout(() => drop(new Error('no answer')), HANDSHAKE_MS);
  try {
    const connected = entity.connect(serviceOf(target));
    // The library decodes every chunk by itself; this keeps characters whole that two TCP chunks share.
    entity.socket?.setEncoding('utf8').setNoDelay(true);
    await connected;
    const header = await entity.open({ domain: target.jid });
    await entity.authenticate(header.attrs.id ?? '', target.secret);
  } finally {
    clearTimeout(timer);
  }
}

/** xmpp.js's component, made safe against what would throw into the event loop or leave timers behind. */
class GuardedComponent extends Component {
  heard = 0;
  override timeout = HANDSHAKE_MS;

  /** Ends the stream: the closing tag, everything that is written before it, then the socket. */
  leave(): void {
    if (this.socket?.writable) this.socket.write('</stream:stream>');
    this.socket?.destroySoon();
  }

  /** Answers that are ready at the same moment leave in one write. */
  override send(element: Element): Promise<void> {
    if (this.socket) gather(this.socket);
    return super.send(element);
  }

  /** Without waiting until it has left. */
  say(text: string): void {
    const { socket } = this;
    if (!socket?.writable) throw new Error('the connection has ended');
    gather(socket);
    socket.write(text);
  }

  protected override _onData(data: Buffer | string): void {
    this.heard += 1;
    // After the server's closing tag there is no parser any more, though white space may still come.
    if (this.parser === null) return;
    try {
      super._onData(data);
    } catch (error) {
      this.socket?.destroy(error as Error);
    }
  }

  /** The library's own waits for answers that may never come, on timers that outlive the stream. */
  protected override async _end(): Promise<void> {
    this.leave();
  }

  /** No component protocol knows this; the next try goes where the config says. */
  protected override async _onSeeOtherHost(error: Error): Promise<void> {
    this.emit('error', error);
  }
}

function gather(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}
