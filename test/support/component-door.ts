import { pino } from 'pino';
import type { Logger } from '../../src/base/log.ts';
import type { Reservation, Reserved } from '../../src/ledger/contract.ts';
import { openRule } from '../../src/policy/access.ts';
import type { UploadRules } from '../../src/uploads/deps.ts';
import { type ComponentDeps, type Components, startComponents } from '../../src/xmpp/components.ts';
import { ComponentServer, type ComponentSession } from './component-server.ts';
import { grantingDeps, uploadRules } from './doors.ts';

export const JID = 'upload.montague.tld';
export const SECRET = 'nightingale';
export const PUBLIC_URL = 'https://upload.montague.tld';
export const DOWNLOAD_URL = 'https://download.montague.tld';

export interface DoorOptions {
  readonly rules?: UploadRules;
  readonly outcome?: (reservation: Reservation) => Reserved | Promise<Reserved>;
  readonly server?: ComponentServer;
  readonly secret?: string;
  /** One component where nothing else is said. */
  readonly jids?: readonly string[];
  readonly timing?: ComponentDeps['timing'];
  readonly onStanza?: ComponentDeps['onStanza'];
  readonly speech?: ComponentDeps['speech'];
  /** Milliseconds since 1970. */
  readonly now?: number;
}

/** Door 1 against a server of ours; nothing of it touches a disk. */
export interface TestDoor {
  readonly server: ComponentServer;
  readonly door: Components;
  readonly reserved: readonly Reservation[];
  /** Every line of the log. */
  readonly logged: readonly string[];
  stop(): Promise<void>;
}

export async function startDoor(options: DoorOptions = {}): Promise<TestDoor> {
  const server = options.server ?? (await ComponentServer.listen({ secret: SECRET }));
  const { deps, reserved } = grantingDeps(options.rules ?? uploadRules([openRule]), options.outcome);
  const logged: string[] = [];
  const door = startComponents(
    {
      ...deps,
      ...(options.now !== undefined && { clock: () => options.now ?? 0 }),
      log: logTo(logged),
      publicUrl: PUBLIC_URL,
      downloadUrl: DOWNLOAD_URL,
      ...(options.timing && { timing: options.timing }),
      ...(options.onStanza && { onStanza: options.onStanza }),
      speech: options.speech,
    },
    (options.jids ?? [JID]).map((jid) => ({
      jid,
      secret: options.secret ?? SECRET,
      server: { host: '127.0.0.1', port: server.port },
      name: 'HTTP File Upload',
    })),
  );
  return {
    server,
    door,
    reserved,
    logged,
    async stop() {
      await door.stop();
      await server.stop();
    },
  };
}

function logTo(lines: string[]): Logger {
  return pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
}

export async function withDoor(
  options: DoorOptions,
  work: (session: ComponentSession, test: TestDoor) => Promise<void>,
): Promise<void> {
  const test = await startDoor(options);
  try {
    await work(await test.server.session(), test);
  } finally {
    await test.stop();
  }
}

/** An iq as a server passes it on. */
export function iq(
  child: string,
  { type = 'get', from = 'romeo@montague.tld/garden', to = JID } = {},
): string {
  return `<iq from='${from}' id='step_03' to='${to}' type='${type}'>${child}</iq>`;
}

export const request = (attributes: string, children = '', ns = 'urn:xmpp:http:upload:0') =>
  `<request xmlns='${ns}' ${attributes}>${children}</request>`;
