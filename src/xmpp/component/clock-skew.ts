import xml, { type Element } from '@xmpp/xml';
import { type Clock, parseDateTime } from '../../base/clock.ts';
import { TIME } from '../../stanza/namespaces.ts';
import type { ComponentConnection } from './connection.ts';

/** Compares the clock of the XMPP server with ours (XEP-0202). */
export interface ClockSkewProbe {
  /** Was this stanza the answer to our question? */
  handle(stanza: Element): boolean;
  /** Asks now and then until the connection ends. Keeps no process alive. */
  start(connection: Pick<ComponentConnection, 'send' | 'ended'>): void;
}

const EVERY_MS = 10 * 60_000;
const ID = 'clock';

/**
 * `report` gets the milliseconds by which the server's clock is ahead of ours, for the moment halfway between
 * question and answer; servers tell whole seconds. It is never called where a server does not know the question,
 * nor where the component's name does not lie below the server's.
 */
export function createClockSkewProbe(
  jid: string,
  clock: Clock,
  report: (skewMs: number) => void,
): ClockSkewProbe {
  const server = jid.slice(jid.indexOf('.') + 1);
  let askedAt = 0;

  async function ask(connection: Pick<ComponentConnection, 'send'>): Promise<void> {
    askedAt = clock();
    const question = xml('iq', { type: 'get', from: jid, to: server, id: ID }, xml('time', TIME));
    await connection.send(question).catch(() => {
      // The connection has ended; the next one asks again.
    });
  }

  return {
    handle(stanza) {
      const { id, from, type } = stanza.attrs;
      if (stanza.name !== 'iq' || id !== ID || from !== server || (type !== 'result' && type !== 'error'))
        return false;
      const now = clock();
      const theirs = parseDateTime(stanza.getChild('time', TIME)?.getChild('utc')?.getText() ?? '');
      if (theirs !== undefined) report(theirs - (askedAt + now) / 2);
      return true;
    },
    start(connection) {
      if (server === jid) return;
      void ask(connection);
      const timer = setInterval(() => void ask(connection), EVERY_MS).unref();
      void connection.ended.then(() => clearInterval(timer));
    },
  };
}
