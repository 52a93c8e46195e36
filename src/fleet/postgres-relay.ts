import { randomId } from '../base/ids.ts';
import type { Logger } from '../base/log.ts';
import { type Json, type Relay, RelayFault, type RelayFaultKind } from '../base/relay.ts';
import { type Answers, nobody } from './answers.ts';
import { inTime } from './in-time.ts';
import { createAssembly, MAX_TEXT, piecesOf } from './notices.ts';
import type { Link } from './postgres-link.ts';
import type { Names } from './postgres-names.ts';

/** Unanswered questions of this process. */
const MAX_PENDING = 1000;

type Message =
  | {
      readonly is: 'ask';
      readonly from: string;
      readonly id: number;
      readonly topic: string;
      readonly payload: Json;
    }
  | { readonly is: 'answer'; readonly id: number; readonly value: Json }
  | { readonly is: 'fault'; readonly id: number; readonly kind: RelayFaultKind; readonly text: string };

/** Questions to the process that leads, wherever it is, over LISTEN and NOTIFY of the ledger's database. */
export interface PostgresRelay extends Relay {
  /** The channel of this process. */
  readonly channel: string;
  /** What was heard on a channel. */
  hear(notice: string): void;
  /** The connection to speak on; undefined while there is none. */
  use(link: Link | undefined, names: Names | undefined): void;
}

/** `leads` says whether it is this process that leads: then nothing has to travel. */
export function postgresRelay(log: Logger, answers: Answers, leads: () => boolean): PostgresRelay {
  const id = randomId();
  const pending = new Map<number, PromiseWithResolvers<Json>>();
  let link: Link | undefined;
  let names: Names | undefined;
  let count = 0;

  /** Rejects where no process leads, as far as the lock tells. */
  async function tellLeader(pieces: readonly string[]): Promise<void> {
    if (link === undefined || names === undefined) throw nobody();
    const sent = link.query(
      `select pg_notify($1, piece) from unnest($2::text[]) with ordinality as pieces (piece, place)
        where exists (select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 2
          and database = (select oid from pg_database where datname = current_database())
          and classid = $3 and objid = $4)
        order by place`,
      [names.leader, pieces, ...names.lock],
    );
    const told = await sent.catch((cause: unknown) => {
      throw new RelayFault('unavailable', 'PostgreSQL, which carries questions, is away.', cause);
    });
    if (told.length === 0) throw nobody();
  }

  async function reply(to: string, message: Message): Promise<void> {
    const pieces = piecesOf(JSON.stringify(message));
    await link?.query('select pg_notify($1, piece) from unnest($2::text[]) as pieces (piece)', [
      names?.process(to),
      pieces,
    ]);
  }

  async function answer({ from, id, topic, payload }: Message & { is: 'ask' }): Promise<void> {
    const message = await answers.answer(topic, payload).then(
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
    else question?.reject(new RelayFault(message.kind, message.text));
  }

  const hear = createAssembly((text) => {
    const message = JSON.parse(text) as Message;
    if (message.is === 'ask') void answer(message);
    else settle(message);
  });

  async function askElsewhere(topic: string, payload: Json, timeoutMs: number): Promise<Json> {
    if (pending.size >= MAX_PENDING) throw new RelayFault('busy', 'Too many questions wait already.');
    count += 1;
    const number = count;
    const question = Promise.withResolvers<Json>();
    pending.set(number, question);
    try {
      const text = JSON.stringify({ is: 'ask', from: id, id: number, topic, payload } satisfies Message);
      if (text.length > MAX_TEXT) throw tooLong();
      await tellLeader(piecesOf(text));
      return await inTime(question.promise, timeoutMs);
    } finally {
      pending.delete(number);
    }
  }

  return {
    channel: id,
    hear,
    serve: (topic, handler) => answers.serve(topic, handler),
    ask: (topic, payload, timeoutMs) =>
      leads() ? inTime(answers.answer(topic, payload), timeoutMs) : askElsewhere(topic, payload, timeoutMs),
    use(next, known) {
      link = next;
      names = known;
    },
  };
}

function limited(message: Message): Message {
  return JSON.stringify(message).length > MAX_TEXT ? faultMessage(message.id, tooLong()) : message;
}

function faultMessage(id: number, error: unknown): Message {
  const { kind, message } = error instanceof RelayFault ? error : new RelayFault('failed', String(error));
  return { is: 'fault', id, kind, text: message };
}

const tooLong = () => new RelayFault('failed', 'The message is too long to travel between processes.');
