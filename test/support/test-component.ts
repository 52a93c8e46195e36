import { pino } from 'pino';
import type { Logger } from '../../src/base/log.ts';
import type { Reservation, ReserveResult } from '../../src/ledger/contract/ledger.ts';
import { allowAllRule } from '../../src/policy/access.ts';
import type { RefusedRequest } from '../../src/uploads/refusals/refusal-log.ts';
import type { UploadRules } from '../../src/uploads/services.ts';
import type { AdminRules } from '../../src/xmpp/commands/ad-hoc-command.ts';
import {
  type ComponentServices,
  type Components,
  startComponents,
} from '../../src/xmpp/component/components.ts';
import { FakeComponentServer, type FakeComponentStream } from './fake-component-server.ts';
import { createGrantingServices, uploadRules } from './granting-services.ts';

export const JID = 'upload.montague.tld';
export const SECRET = 'nightingale';
export const PUBLIC_URL = 'https://upload.montague.tld';
export const DOWNLOAD_URL = 'https://download.montague.tld';

export interface TestComponentOptions {
  readonly rules?: UploadRules;
  readonly onReserve?: (reservation: Reservation) => ReserveResult | Promise<ReserveResult>;
  readonly server?: FakeComponentServer;
  readonly secret?: string;
  /** Default: one component, `JID`. */
  readonly jids?: readonly string[];
  readonly timing?: ComponentServices['timing'];
  readonly onStanza?: ComponentServices['onStanza'];
  readonly sender?: ComponentServices['componentSenders'];
  readonly admins?: AdminRules;
  /** JIDs that accept no messages. */
  readonly noReply?: readonly string[];
  /** Milliseconds since 1970. */
  readonly now?: number;
}

/** The component endpoint, connected to a fake XMPP server, with a ledger that only records reservations. */
export interface TestComponent {
  readonly server: FakeComponentServer;
  readonly components: Components;
  readonly reservations: readonly Reservation[];
  /** Requests passed to the refusal log. */
  readonly refusals: readonly RefusedRequest[];
  /** All log lines, as JSON. */
  readonly logLines: readonly string[];
  stop(): Promise<void>;
}

export async function startTestComponent(options: TestComponentOptions = {}): Promise<TestComponent> {
  const server = options.server ?? (await FakeComponentServer.listen({ secret: SECRET }));
  const {
    deps,
    reserved: reservations,
    refusals,
  } = createGrantingServices(options.rules ?? uploadRules([allowAllRule]), options.onReserve);
  const logLines: string[] = [];
  const components = startComponents(
    {
      ...deps,
      ...(options.now !== undefined && { clock: () => options.now ?? 0 }),
      log: logTo(logLines),
      ...(options.timing && { timing: options.timing }),
      ...(options.onStanza && { onStanza: options.onStanza }),
      ...(options.admins && { adminRules: () => options.admins ?? deps.adminRules() }),
      isNoReply: (jid) => options.noReply?.includes(jid) ?? false,
      componentSenders: options.sender,
    },
    (options.jids ?? [JID]).map((jid) => ({
      jid,
      secret: options.secret ?? SECRET,
      server: { host: '127.0.0.1', port: server.port },
      name: 'HTTP File Upload',
      linkBasesFor: () => ({ putBase: PUBLIC_URL, getBase: DOWNLOAD_URL }),
    })),
  );
  return {
    server,
    components,
    reservations,
    refusals,
    logLines,
    async stop() {
      await components.stop();
      await server.stop();
    },
  };
}

function logTo(lines: string[]): Logger {
  return pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
}

export async function withTestComponent(
  options: TestComponentOptions,
  work: (session: FakeComponentStream, test: TestComponent) => Promise<void>,
): Promise<void> {
  const test = await startTestComponent(options);
  try {
    await work(await test.server.nextStream(), test);
  } finally {
    await test.stop();
  }
}

/** An iq as an XMPP server delivers it to the component. */
export function iq(
  child: string,
  { type = 'get', from = 'romeo@montague.tld/garden', to = JID } = {},
): string {
  return `<iq from='${from}' id='step_03' to='${to}' type='${type}'>${child}</iq>`;
}

export const slotRequest = (attributes: string, children = '', ns = 'urn:xmpp:http:upload:0') =>
  `<request xmlns='${ns}' ${attributes}>${children}</request>`;
