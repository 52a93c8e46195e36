import type { BenchEnvironment } from '../environment.ts';
import { slotPath } from '../load/slot-api.ts';
import { wrk } from '../load/wrk.ts';
import { requestXmppSlots } from '../load/xmpp-slots.ts';
import { type Candidate, measureRounds } from '../rounds.ts';
import type { FileServer } from '../servers/file-server.ts';
import type { XmppServer } from '../servers/xmpp-server.ts';
import type { Case } from './case.ts';
import { CONNECTIONS, SMALL } from './files.ts';

export const slotsApi: Case = {
  name: 'slots-api',
  title: `Slots by the slot API, ${CONNECTIONS} connections`,
  needs: ['wrk'],
  async measure(environment) {
    const servers = [await environment.porter(), await environment.durablePorter()];
    const rows = await measureRounds(environment, slotTakers(environment, servers));
    return { unit: 'slots/s', rows, notes: ['django-xmpp-http-upload reached 530/s on a similar machine.'] };
  },
};

export const slotsProsody = beside('Prosody', 'prosody', 'http_file_share', (environment) =>
  environment.prosody(),
);
export const slotsEjabberd = beside('ejabberd', 'ejabberd', 'mod_http_upload', (environment) =>
  environment.ejabberd(),
);

/** Returns one candidate per server, which requests slots over HTTP. */
export function slotTakers(environment: BenchEnvironment, servers: readonly FileServer[]): Candidate[] {
  return servers.map((server) => overHttp(environment, server));
}

function overHttp(environment: BenchEnvironment, server: FileServer): Candidate {
  return {
    name: server.name,
    isPorter: true,
    pid: server.pid,
    run: () =>
      wrk({
        url: server.url,
        connections: CONNECTIONS,
        seconds: environment.options.seconds,
        requests: [{ path: slotPath(SMALL), headers: { Accept: 'text/plain' } }],
        status: 200,
        folder: environment.folders.folder,
      }),
  };
}

/** Compares two services behind one XMPP server: Porter as its component, and its own upload module. */
function beside(
  name: string,
  peer: 'prosody' | 'ejabberd',
  module: string,
  start: (environment: BenchEnvironment) => Promise<XmppServer>,
): Case {
  return {
    name: `slots-${peer}`,
    title: `Slots over XMPP through ${name}, 4 clients with 32 concurrent requests each`,
    needs: [peer],
    async measure(environment) {
      const server = await start(environment);
      const porter = await environment.porterWithXmppServer(server);
      const rows = await measureRounds(environment, [
        overXmpp(environment, server, server.component.jid, {
          name: porter.name,
          isPorter: true,
          pid: porter.pid,
        }),
        overXmpp(environment, server, server.service, {
          name: `${name} ${module}`,
          isPorter: false,
          pid: server.pid,
        }),
      ]);
      return { unit: 'slots/s', rows, notes: NOTES[peer] };
    },
  };
}

const NOTES = {
  prosody: ['Every request to Porter passes Prosody twice. Both store every slot.'],
  ejabberd: [
    'Every request to Porter passes ejabberd twice, and Porter stores every slot, with its quotas. ejabberd',
    'keeps its own slots in memory only, checks no quota, and forgets them when it restarts.',
  ],
};

/** A run requests this number of slots per second of its duration, so that every server warms up. */
const SLOTS_PER_SECOND = 3000;

function overXmpp(
  { options }: BenchEnvironment,
  { account }: XmppServer,
  to: string,
  candidate: Pick<Candidate, 'name' | 'isPorter' | 'pid'>,
): Candidate {
  const count = options.seconds * SLOTS_PER_SECOND;
  return {
    ...candidate,
    async run() {
      const { slots, seconds } = await requestXmppSlots({ account, to, count, size: SMALL });
      return { done: slots.length, seconds };
    },
  };
}
