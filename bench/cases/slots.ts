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
  async measure(world) {
    const servers = [await world.porter(), await world.durablePorter()];
    const rows = await measureRounds(world, slotTakers(world, servers));
    return { unit: 'slots/s', rows, notes: ['django-xmpp-http-upload once did 530/s on such a machine.'] };
  },
};

export const slotsProsody = beside('Prosody', 'prosody', 'http_file_share', (world) => world.prosody());
export const slotsEjabberd = beside('ejabberd', 'ejabberd', 'mod_http_upload', (world) => world.ejabberd());

/** For each server, asking it for slots over HTTP. */
export function slotTakers(world: BenchEnvironment, servers: readonly FileServer[]): Candidate[] {
  return servers.map((server) => overHttp(world, server));
}

function overHttp(world: BenchEnvironment, server: FileServer): Candidate {
  return {
    name: server.name,
    isPorter: true,
    pid: server.pid,
    run: () =>
      wrk({
        url: server.url,
        connections: CONNECTIONS,
        seconds: world.options.seconds,
        requests: [{ path: slotPath(SMALL), headers: { Accept: 'text/plain' } }],
        status: 200,
        folder: world.folders.folder,
      }),
  };
}

/** Through one XMPP server, to Porter as its component and to its own module. */
function beside(
  name: string,
  peer: 'prosody' | 'ejabberd',
  module: string,
  start: (world: BenchEnvironment) => Promise<XmppServer>,
): Case {
  return {
    name: `slots-${peer}`,
    title: `Slots over XMPP through ${name}, 4 clients with 32 requests under way each`,
    needs: [peer],
    async measure(world) {
      const server = await start(world);
      const porter = await world.porterWithXmppServer(server);
      const rows = await measureRounds(world, [
        overXmpp(world, server, server.component.jid, { name: porter.name, isPorter: true, pid: porter.pid }),
        overXmpp(world, server, server.service, {
          name: `its own ${module}`,
          isPorter: false,
          pid: server.pid,
        }),
      ]);
      return { unit: 'slots/s', rows, notes: NOTES[peer] };
    },
  };
}

const NOTES = {
  prosody: ['Every request to Porter passes Prosody twice; both write every slot down.'],
  ejabberd: [
    'Every request to Porter passes ejabberd twice, and Porter writes every slot down, with its quotas. ejabberd',
    'keeps its own slots in memory only, checks no quota, and forgets them when it restarts.',
  ],
};

/** A run is a count of slots: time enough for every server to warm up. */
const SLOTS_PER_SECOND = 3000;

function overXmpp(
  { options }: BenchEnvironment,
  { account }: XmppServer,
  to: string,
  contestant: Pick<Candidate, 'name' | 'isPorter' | 'pid'>,
): Candidate {
  const count = options.seconds * SLOTS_PER_SECOND;
  return {
    ...contestant,
    async run() {
      const { slots, seconds } = await requestXmppSlots({ account, to, count, size: SMALL });
      return { done: slots.length, seconds };
    },
  };
}
