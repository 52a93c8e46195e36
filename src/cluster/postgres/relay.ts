import { randomId } from '../../base/ids.ts';
import type { JsonValue } from '../../base/json.ts';
import type { Logger } from '../../base/log.ts';
import { type Relay, RelayError, type RelayErrorKind } from '../relay.ts';
import { noLeaderError, type RelayHandlers } from '../relay-handlers.ts';
import { withRelayTimeout } from '../relay-timeout.ts';
import type { ClusterConnection } from './connection.ts';
import type { ClusterNames } from './names.ts';
import { createNotificationAssembler, MAX_TEXT_CHARACTERS, splitIntoNotifications } from './notifications.ts';

/** Unanswered questions of this process. */
const MAX_PENDING = 1000;

type Message =
  | {
      readonly is: 'ask';
      readonly from: string;
      readonly id: number;
      readonly topic: string;
      readonly payload: JsonValue;
    }
  | { readonly is: 'answer'; readonly id: number; readonly value: JsonValue }
  | { readonly is: 'fault'; readonly id: number; readonly kind: RelayErrorKind; readonly text: string };

/** Questions to the process that leads, wherever it is, over LISTEN and NOTIFY of the ledger's database. */
export interface PostgresRelay extends Relay {
  /** The channel of this process. */
  readonly channel: string;
  /** What was heard on a channel. */
  receiveNotification(notice: string): void;
  /** The connection to speak on; undefined while there is none. */
  setConnection(link: ClusterConnection | undefined, names: ClusterNames | undefined): void;
}

/** `leads` says whether it is this process that leads: then nothing has to travel. */
export function createPostgresRelay(
  log: Logger,
  answers: RelayHandlers,
  leads: () => boolean,
): PostgresRelay {
  const id = randomId();
  const pending = new Map<number, PromiseWithResolvers<JsonValue>>();
  let link: ClusterConnection | undefined;
  let names: ClusterNames | undefined;
  let count = 0;

  /** Rejects where no process leads, as far as the lock tells. */
  async function tellLeader(pieces: readonly string[]): Promise<void> {
    if (link === undefined || names === undefined) throw noLeaderError();
    const sent = link.query(
      `select pg_notify($1, piece) from unnest($2::text[]) with ordinality as pieces (piece, place)
        where exists (select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 2
          and database = (select oid from pg_database where datname = current_database())
          and classid = $3 and objid = $4)
        order by place`,
      [names.leaderChannel, pieces, ...names.leaderLock],
    );
    const told = await sent.catch((cause: unknown) => {
      throw new RelayError('unavailable', 'PostgreSQL, which carries questions, is away.', cause);
    });
    if (told.length === 0) throw noLeaderError();
  }

  async function reply(to: string, message: Message): Promise<void> {
    const pieces = splitIntoNotifications(JSON.stringify(message));
    await link?.query('select pg_notify($1, piece) from unnest($2::text[]) as pieces (piece)', [
      names?.processChannel(to),
      pieces,
    ]);
  }

  async function answer({ from, id, topic, payload }: Message & { is: 'ask' }): Promise<void> {
    const message = await answers.dispatch(topic, payload).then(
      (value): Message => limited({ is: 'answer', id, value }),
      (error): Message => faultMessage(id, error),
    );
    await reply(from, message).catch((error: unknown) =>
      log.warn({ err: error, topic }, 'an answer for another process was lost'),
    );
  }

  function settle(message: Exclude<Message, { is: 'ask' }>): void {
    const question = pending.get(message.id);
    if (message.is === 'answer') question?.resolve(message.value);
    else question?.reject(new RelayError(message.kind, message.text));
  }

  const receiveNotification = createNotificationAssembler((text) => {
    const message = JSON.parse(text) as Message;
    if (message.is === 'ask') void answer(message);
    else settle(message);
  });

  async function askElsewhere(topic: string, payload: JsonValue, timeoutMs: number): Promise<JsonValue> {
    if (pending.size >= MAX_PENDING) throw new RelayError('busy', 'Too many questions wait already.');
    count += 1;
    const number = count;
    const question = Promise.withResolvers<JsonValue>();
    pending.set(number, question);
    try {
      const text = JSON.stringify({ is: 'ask', from: id, id: number, topic, payload } satisfies Message);
      if (text.length > MAX_TEXT_CHARACTERS) throw tooLong();
      await tellLeader(splitIntoNotifications(text));
      return await withRelayTimeout(question.promise, timeoutMs);
    } finally {
      pending.delete(number);
    }
  }

  return {
    channel: id,
    receiveNotification,
    handle: (topic, handler) => answers.handle(topic, handler),
    request: (topic, payload, timeoutMs) =>
      leads()
        ? withRelayTimeout(answers.dispatch(topic, payload), timeoutMs)
        : askElsewhere(topic, payload, timeoutMs),
    setConnection(next, known) {
      link = next;
      names = known;
    },
  };
}

function limited(message: Message): Message {
  return JSON.stringify(message).length > MAX_TEXT_CHARACTERS ? faultMessage(message.id, tooLong()) : message;
}

function faultMessage(id: number, error: unknown): Message {
  const { kind, message } = error instanceof RelayError ? error : new RelayError('failed', String(error));
  return { is: 'fault', id, kind, text: message };
}

const tooLong = () => new RelayError('failed', 'The message is too long to travel between processes.');
