import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FakeComponentServer } from '../../support/fake-component-server.ts';
import {
  iq,
  JID,
  SECRET,
  slotRequest,
  startTestComponent,
  type TestComponent,
  type TestComponentOptions,
  withTestComponent,
} from '../../support/test-component.ts';

const PING = iq("<ping xmlns='urn:xmpp:ping'/>");

/** Time that passes at once, and tells how much it was. */
function hastily(): { readonly waits: number[]; readonly timing: TestComponentOptions['timing'] } {
  const waits: number[] = [];
  const wait = async (ms: number) => {
    waits.push(ms);
  };
  return { waits, timing: { wait, random: () => 0 } };
}

/** Time that stands still when a stream is down, until the test lets it go on. */
function stoppedTime() {
  const waits: number[] = [];
  let arrived = Promise.withResolvers<void>();
  let go = Promise.withResolvers<void>();
  const wait = (ms: number, signal: AbortSignal) => {
    waits.push(ms);
    arrived.resolve();
    signal.addEventListener('abort', () => go.resolve());
    return go.promise;
  };
  return {
    waits,
    timing: { wait, random: () => 0 },
    /** Resolves when a stream is down and waits. */
    async untilDown(): Promise<void> {
      await arrived.promise;
      arrived = Promise.withResolvers();
    },
    goOn(): void {
      const last = go;
      go = Promise.withResolvers();
      last.resolve();
    },
  };
}

/** Starts a door that does not get in, lets it try a few times, and looks at what it says. */
async function whileDown(
  server: FakeComponentServer,
  options: TestComponentOptions,
  look: (test: TestComponent, time: ReturnType<typeof stoppedTime>) => Promise<void>,
): Promise<void> {
  const time = stoppedTime();
  const endpoint = await startTestComponent({ server, timing: time.timing, ...options });
  try {
    await time.untilDown();
    await look(endpoint, time);
  } finally {
    await endpoint.stop();
  }
}

describe('the component stream', () => {
  test('is up once the server has taken the handshake, and says since when', async () => {
    await withTestComponent({ now: 5000 }, async (session, { components }) => {
      await session.request(PING);
      assert.deepEqual(components.status(), [{ jid: JID, up: true, since: 5000, lastError: null }]);
    });
  });

  test('comes back after every drop', async () => {
    const { timing } = hastily();
    await withTestComponent({ timing }, async (first, { server }) => {
      first.destroy();
      const second = await server.nextStream();
      assert.equal((await second.request(PING)).attrs.type, 'result');
      second.end('system-shutdown');
      const third = await server.nextStream();
      assert.equal((await third.request(PING)).attrs.type, 'result');
      third.end();
      const fourth = await server.nextStream();
      assert.equal((await fourth.request(PING)).attrs.type, 'result');
    });
  });

  test('takes a wrong secret for something that an admin will mend: waits longer each time, and gets in then', async () => {
    const server = await FakeComponentServer.listen({ secret: 'another' });
    await whileDown(server, {}, async ({ components, logLines }, time) => {
      for (let attempt = 0; attempt < 7; attempt += 1) {
        time.goOn();
        await time.untilDown();
      }
      assert.deepEqual(time.waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
      const [status] = components.status();
      assert.equal(status?.up, false);
      assert.match(status?.lastError ?? '', /refuses the secret of upload\.montague\.tld.*component_secret/);
      assert.match(logLines.at(-1) ?? '', /refuses the secret/);
      assert.ok(!logLines.join('').includes(SECRET), 'and the secret stays out of the log');
      server.options.secret = SECRET;
      time.goOn();
      const session = await server.nextStream();
      assert.equal((await session.request(PING)).attrs.type, 'result');
      assert.equal(components.status()[0]?.lastError, null);
    });
  });

  const conditions: readonly (readonly [string, RegExp])[] = [
    [
      'host-unknown',
      /knows no component upload\.montague\.tld: add Component "upload\.montague\.tld" to Prosody/,
    ],
    ['conflict', /another program is connected .* as upload\.montague\.tld/],
    ['invalid-namespace', /takes clients or servers, not components/],
    ['policy-violation', /ended the stream of upload\.montague\.tld: policy-violation/],
  ];
  for (const [condition, words] of conditions) {
    test(`says what to do about ${condition}, and tries again`, async () => {
      const server = await FakeComponentServer.listen({ secret: SECRET, streamError: condition });
      await whileDown(server, {}, async ({ components }, time) => {
        assert.match(components.status()[0]?.lastError ?? '', words);
        server.options.streamError = undefined;
        time.goOn();
        assert.equal((await (await server.nextStream()).request(PING)).attrs.type, 'result');
      });
    });
  }

  test('says so when nothing listens there, and gets in when something does', async () => {
    const gone = await FakeComponentServer.listen({ secret: SECRET });
    const { port } = gone;
    await gone.stop();
    const time = stoppedTime();
    const never = await FakeComponentServer.listen({ secret: SECRET });
    const test = await startTestComponent({
      server: Object.create(gone, { port: { value: port }, stop: { value: () => never.stop() } }),
      timing: time.timing,
    });
    await time.untilDown();
    assert.match(
      test.components.status()[0]?.lastError ?? '',
      /^nothing listens at 127\.0\.0\.1:\d+: is the XMPP server running/,
    );
    const late = await FakeComponentServer.listen({ secret: SECRET }, port);
    time.goOn();
    assert.equal((await (await late.nextStream()).request(PING)).attrs.type, 'result');
    await test.stop();
    await late.stop();
  });

  test('asks a silent server for a sign of life, and gives up on one that is dead', async () => {
    const { timing } = hastily();
    const keepalive = { pingAfterMs: 20, pingTimeoutMs: 20 };
    await withTestComponent({ timing: { ...timing, keepalive } }, async (dead, { server, logLines }) => {
      const ping = await dead.nextStanza();
      assert.equal(ping.attrs.to, JID, 'to itself, which every server can pass on');
      assert.ok(ping.getChild('ping', 'urn:xmpp:ping'));
      const next = await server.nextStream();
      assert.ok(logLines.some((line) => line.includes('has fallen silent')));
      await next.nextStanza();
    });
  });

  test('keeps a server that answers', async () => {
    const keepalive = { pingAfterMs: 15, pingTimeoutMs: 150 };
    await withTestComponent({ timing: { keepalive } }, async (session, { server }) => {
      for (let count = 0; count < 4; count += 1) {
        const ping = await session.nextStanza();
        session.write(`<iq type='result' id='${ping.attrs.id}' from='${JID}' to='${JID}'/>`);
      }
      assert.equal(server.connections, 1);
    });
  });

  test('survives a server that speaks no XML, or goes on after its last word', async () => {
    const { timing } = hastily();
    const noise = ['<iq><x></iq>', '<iq a="&nonsense;"/>', '<iq>&#xFFFF;</iq>', '</stream:stream> \n '];
    await withTestComponent({ timing }, async (first, { server }) => {
      let session = first;
      for (const bytes of noise) {
        session.write(bytes);
        session.write('  ');
        session = await server.nextStream();
        assert.equal((await session.request(PING)).attrs.type, 'result');
      }
    });
  });

  test('takes a stanza in the same breath as the end of the handshake', async () => {
    const server = await FakeComponentServer.listen({ secret: SECRET, sentWithHandshake: PING });
    await withTestComponent({ server }, async (session) => {
      assert.equal((await session.nextStanza()).attrs.type, 'result');
    });
  });

  test('says goodbye when stopped, after the answers that are in progress', async () => {
    const slow = Promise.withResolvers<{ granted: true }>();
    const test = await startTestComponent({ onReserve: () => slow.promise });
    const session = await test.server.nextStream();
    session.write(iq(slotRequest("filename='a' size='1'")));
    await session.request(PING);
    const stopped = test.components.stop();
    slow.resolve({ granted: true });
    assert.equal((await session.nextStanza()).attrs.type, 'result');
    await stopped;
    await session.closed;
    assert.equal(session.endedStream, true);
    assert.deepEqual(
      [test.components.status()[0]?.up, test.components.status()[0]?.lastError],
      [false, 'stopped'],
    );
    assert.equal(test.server.connections, 1, 'and does not come back');
    await test.server.stop();
  });

  for (const mood of ['up', 'refused', 'mute'] as const) {
    test(`leaves nothing behind that keeps the process alive (${mood})`, async () => {
      const server = await FakeComponentServer.listen({
        secret: SECRET,
        silent: mood === 'mute',
        streamError: mood === 'refused' ? 'not-authorized' : undefined,
      });
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'start-and-stop.ts'), String(server.port)],
        {
          stdio: ['ignore', 'inherit', 'inherit'],
        },
      );
      const [code] = await once(child, 'exit');
      assert.equal(code, 0, 'it ended by itself, and not because it was late');
      await server.stop();
    });
  }
});

describe('several component JIDs', () => {
  test('are answered for on any of their streams, because ejabberd deals its stanzas to all', async () => {
    const jids = ['upload.montague.tld', 'upload.capulet.lit'];
    const test = await startTestComponent({ jids });
    for (const session of [await test.server.nextStream(), await test.server.nextStream()]) {
      for (const to of jids) {
        const answer = await session.request(iq(slotRequest("filename='a' size='1'"), { to }));
        assert.deepEqual([answer.attrs.type, answer.attrs.from], ['result', to]);
      }
      const stranger = await session.request(
        iq("<ping xmlns='urn:xmpp:ping'/>", { to: 'upload.escalus.lit' }),
      );
      assert.equal(stranger.attrs.type, 'error');
    }
    await test.stop();
  });

  test('have a stream each, and are asked by their own names', async () => {
    const jids = ['upload.montague.tld', 'upload.capulet.lit'];
    const test = await startTestComponent({ jids });
    const sessions = [await test.server.nextStream(), await test.server.nextStream()];
    for (const session of sessions) {
      assert.equal(
        (await session.request(iq("<ping xmlns='urn:xmpp:ping'/>", { to: session.jid }))).attrs.from,
        session.jid,
      );
    }
    assert.deepEqual(sessions.map(({ jid }) => jid).sort(), [...jids].sort());
    assert.deepEqual(
      test.components.status().map(({ jid, up }) => [jid, up]),
      jids.map((jid) => [jid, true]),
    );
    await test.stop();
  });
});
