import { randomId } from '../../base/ids.ts';
import type { JsonValue } from '../../base/json.ts';
import type { Logger } from '../../base/log.ts';
import { PendingRequests, type ResponseMessage, toErrorResponse } from '../pending-requests.ts';
import { noLeaderError, type Relay, RelayError, type RelayHandler, withRelayTimeout } from '../relay.ts';
import type { RelayHandlers } from '../relay-handlers.ts';
import type { ClusterConnection } from './connection.ts';
import type { ClusterNames } from './names.ts';
import { createNotificationAssembler, MAX_TEXT_CHARACTERS, splitIntoNotifications } from './notifications.ts';

const MAX_PENDING = 1000;

interface RelayRequest {
  readonly type: 'request';
  readonly from: string;
  readonly id: number;
  readonly topic: string;
  readonly payload: JsonValue;
}

type RelayMessage = RelayRequest | ResponseMessage<JsonValue>;

/** Sends the chunks ($2) to the channel of the leader ($1). Returns no row if no session has the leader lock ($3, $4). */
const NOTIFY_LEADER = `
  select pg_notify($1, chunk) from unnest($2::text[]) with ordinality as chunks (chunk, position)
    where exists (select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 2
      and database = (select oid from pg_database where datname = current_database())
      and classid = $3 and objid = $4)
    order by position`;

/**
 * Carries requests to the leading process, on any machine, over LISTEN and NOTIFY in the ledger's database. In the
 * leading process a request goes to its handler directly.
 */
export class PostgresRelay implements Relay {
  /** The id of this process. Its notification channel is `ClusterNames.processChannel(id)`. */
  readonly id = randomId();
  /** Handles the payload of a notification. */
  readonly receiveNotification = createNotificationAssembler((json) => this.#receive(json));
  readonly #log: Logger;
  readonly #handlers: RelayHandlers;
  readonly #isLeading: () => boolean;
  readonly #pending = new PendingRequests<JsonValue>(MAX_PENDING);
  #connection: ClusterConnection | undefined;
  #names: ClusterNames | undefined;

  constructor(log: Logger, handlers: RelayHandlers, isLeading: () => boolean) {
    this.#log = log;
    this.#handlers = handlers;
    this.#isLeading = isLeading;
  }

  /** Sets the connection for requests and responses. Undefined while there is none. */
  setConnection(connection: ClusterConnection | undefined, names: ClusterNames | undefined): void {
    this.#connection = connection;
    this.#names = names;
  }

  handle(topic: string, handler: RelayHandler): void {
    this.#handlers.handle(topic, handler);
  }

  request(topic: string, payload: JsonValue, timeoutMs: number): Promise<JsonValue> {
    if (this.#isLeading()) return withRelayTimeout(this.#handlers.dispatch(topic, payload), timeoutMs);
    return this.#pending.request(timeoutMs, async (id) => {
      const json = JSON.stringify({
        type: 'request',
        from: this.id,
        id,
        topic,
        payload,
      } satisfies RelayRequest);
      if (json.length > MAX_TEXT_CHARACTERS) throw tooLongError();
      await this.#notifyLeader(splitIntoNotifications(json));
    });
  }

  /** Rejects with `unavailable` if no session holds the leader lock. */
  async #notifyLeader(chunks: readonly string[]): Promise<void> {
    const connection = this.#connection;
    const names = this.#names;
    if (connection === undefined || names === undefined) throw noLeaderError();
    const values = [names.leaderChannel, chunks, ...names.leaderLock];
    const rows = await connection.query(NOTIFY_LEADER, values).catch((cause: unknown) => {
      throw new RelayError('unavailable', 'The connection to PostgreSQL is down.', cause);
    });
    if (rows.length === 0) throw noLeaderError();
  }

  #receive(json: string): void {
    const message = parseMessage(json);
    if (message === undefined) this.#log.warn('ignored a notification that Porter has not sent');
    else if (message.type === 'request') void this.#respond(message);
    else this.#pending.settle(message);
  }

  async #respond({ from, id, topic, payload }: RelayRequest): Promise<void> {
    const response = await this.#handlers.dispatch(topic, payload).then(
      (value) => toResponse(id, value),
      (error) => toErrorResponse(id, error),
    );
    await this.#notify(from, response).catch((error: unknown) =>
      this.#log.warn({ err: error, topic }, 'a response for another process was lost'),
    );
  }

  async #notify(processId: string, message: RelayMessage): Promise<void> {
    await this.#connection?.query('select pg_notify($1, chunk) from unnest($2::text[]) as chunks (chunk)', [
      this.#names?.processChannel(processId),
      splitIntoNotifications(JSON.stringify(message)),
    ]);
  }
}

/** Returns undefined for texts of other programs: every user of the database can send notifications on this channel. */
function parseMessage(json: string): RelayMessage | undefined {
  try {
    const message: unknown = JSON.parse(json);
    return typeof message === 'object' && message !== null ? (message as RelayMessage) : undefined;
  } catch {
    return undefined;
  }
}

function toResponse(id: number, value: JsonValue): ResponseMessage<JsonValue> {
  const response: ResponseMessage<JsonValue> = { type: 'response', id, value };
  const isTooLong = JSON.stringify(response).length > MAX_TEXT_CHARACTERS;
  return isTooLong ? toErrorResponse(id, tooLongError()) : response;
}

function tooLongError(): RelayError {
  return new RelayError('failed', 'The message is too long to be sent between processes.');
}
