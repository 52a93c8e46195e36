import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { allowAllRule } from '../../../src/policy/access.ts';
import {
  type ComponentServices,
  type Components,
  startComponents,
} from '../../../src/xmpp/component/components.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { startEjabberd } from '../peers/ejabberd.ts';
import { needs } from '../peers/peers.ts';
import { startProsody } from '../peers/prosody.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';

const JID = 'upload.localhost';
const SECRET = 'a secret of twenty characters';
const components = [{ jid: JID, secret: SECRET }];

interface Attempt {
  readonly jid?: string;
  readonly secret?: string;
  readonly port?: number;
}

/** The errors of each server, found by experiment. */
const servers = [
  {
    name: 'prosody',
    start: () => startProsody({ components }),
    unknown: /does not know the component other\.localhost: add Component/,
    clientPort: /check that 127\.0\.0\.1:\d+ is the port for components/,
  },
  {
    name: 'ejabberd',
    start: () => startEjabberd({ components }),
    unknown: /of "other\.localhost" among the hosts of an ejabberd_service/,
    clientPort: /port for clients or servers, not for components/,
  },
] as const;

for (const { name, start, unknown, clientPort } of servers) {
  describe(`The component stream to ${name}`, { skip: needs(name) }, () => {
    let server: XmppServer;
    before(async () => {
      server = await start();
    });
    after(() => server?.stop());

    async function withComponent(
      { jid = JID, secret = SECRET, port = server.componentPort }: Attempt,
      timing: ComponentServices['timing'],
      work: (endpoint: Components) => Promise<void>,
    ): Promise<void> {
      const { deps } = createGrantingServices(uploadRules([allowAllRule]));
      const bases = { putBase: 'https://upload.localhost', getBase: 'https://upload.localhost' };
      const settings = {
        jid,
        secret,
        server: { host: '127.0.0.1', port },
        name: 'HTTP File Upload',
        linkBasesFor: () => bases,
      };
      const endpoint = startComponents({ ...deps, ...(timing && { timing }) }, [settings]);
      try {
        await work(endpoint);
      } finally {
        await endpoint.stop();
      }
    }

    /** The error of the first connection attempt, as an admin sees it. */
    async function errorFor(attempt: Attempt): Promise<string> {
      const tried = Promise.withResolvers<void>();
      const wait = (_ms: number, signal: AbortSignal) => {
        tried.resolve();
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      };
      let fault = '';
      await withComponent(attempt, { wait }, async (endpoint) => {
        await tried.promise;
        fault = endpoint.status()[0]?.lastError ?? '';
      });
      return fault;
    }

    async function untilUp(endpoint: Components): Promise<void> {
      while (!endpoint.status()[0]?.up) await sleep(10);
    }

    test('stays up when idle: the server reflects a ping of the component to itself', async () => {
      await withComponent({}, { keepalive: { pingAfterMs: 20, pingTimeoutMs: 300 } }, async (endpoint) => {
        await untilUp(endpoint);
        const since = endpoint.status()[0]?.since;
        await sleep(1000);
        assert.deepEqual(endpoint.status(), [{ jid: JID, up: true, since, lastError: null }]);
      });
    });

    test('reports a wrong secret', async () => {
      assert.match(await errorFor({ secret: 'wrong' }), /refuses the secret of upload\.localhost/);
    });

    test('reports a component that the server does not have', async () => {
      assert.match(await errorFor({ jid: 'other.localhost' }), unknown);
    });

    test('reports a port for clients instead of components', async () => {
      assert.match(await errorFor({ port: server.clientPort }), clientPort);
    });

    // ejabberd accepts both connections and distributes the stanzas between them.
    if (name === 'prosody') {
      test('reports another program with the same JID', async () => {
        await withComponent({}, undefined, async (endpoint) => {
          await untilUp(endpoint);
          assert.match(await errorFor({}), /another program is already connected .* as upload\.localhost/);
          assert.equal(endpoint.status()[0]?.up, true);
        });
      });
    }
  });
}
