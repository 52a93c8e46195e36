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
import { waitUntil } from '../../support/wait-until.ts';

const PING = iq("<ping xmlns='urn:xmpp:ping'/>");

/** Timers that fire at once and record their delays. */
function immediateTimers(): { readonly waits: number[]; readonly timing: TestComponentOptions['timing'] } {
  const waits: number[] = [];
  const wait = async (ms: number) => {
    waits.push(ms);
  };
  return { waits, timing: { wait, random: () => 0 } };
}

/** Keeps a stream in its backoff until the test calls `proceed`. */
function controlledBackoff() {
  const waits: number[] = [];
  let entered = Promise.withResolvers<void>();
  let released = Promise.withResolvers<void>();
  const wait = (ms: number, signal: AbortSignal) => {
    waits.push(ms);
    entered.resolve();
    signal.addEventListener('abort', () => released.resolve());
    return released.promise;
  };
  return {
    waits,
    timing: { wait, random: () => 0 },
    /** Resolves when a stream is down and in its backoff. */
    async untilDown(): Promise<void> {
      await entered.promise;
      entered = Promise.withResolvers();
    },
    proceed(): void {
      const current = released;
      released = Promise.withResolvers();
      current.resolve();
    },
  };
}

/** Starts a component whose first connection fails and calls `check` during the backoff. */
async function whileDown(
  server: FakeComponentServer,
  options: TestComponentOptions,
  check: (test: TestComponent, backoff: ReturnType<typeof controlledBackoff>) => Promise<void>,
): Promise<void> {
  const backoff = controlledBackoff();
  const component = await startTestComponent({ server, timing: backoff.timing, ...options });
  try {
    await backoff.untilDown();
    await check(component, backoff);
  } finally {
    await component.stop();
  }
}

describe('the component stream', () => {
  test('reports the time since which it is up', async () => {
    await withTestComponent({ now: 5000 }, async (session, { components }) => {
      await session.request(PING);
      assert.deepEqual(components.status(), [{ jid: JID, up: true, since: 5000, lastError: null }]);
    });
  });

  test('reconnects after every kind of disconnect', async () => {
    const { timing } = immediateTimers();
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

  test('retries with a growing delay after a wrong secret, and connects once the secret is right', async () => {
    const server = await FakeComponentServer.listen({ secret: 'another' });
    await whileDown(server, {}, async ({ components, logLines }, backoff) => {
      for (let attempt = 0; attempt < 7; attempt += 1) {
        backoff.proceed();
        await backoff.untilDown();
      }
      assert.deepEqual(backoff.waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
      const [status] = components.status();
      assert.equal(status?.up, false);
      assert.match(status?.lastError ?? '', /refuses the secret of upload\.montague\.tld.*component_secret/);
      assert.match(logLines.at(-1) ?? '', /refuses the secret/);
      assert.ok(!logLines.join('').includes(SECRET), 'the secret is not logged');
      server.options.secret = SECRET;
      backoff.proceed();
      const session = await server.nextStream();
      assert.equal((await session.request(PING)).attrs.type, 'result');
      assert.equal(components.status()[0]?.lastError, null);
    });
  });

  test('is not up on a port that only sends back what it receives', async () => {
    const server = await FakeComponentServer.listen({ secret: SECRET, echo: true });
    const backoff = controlledBackoff();
    const { components, logLines, stop } = await startTestComponent({ server, timing: backoff.timing });
    await waitUntil(() => logLines.length > 0);
    assert.match(components.status()[0]?.lastError ?? 'up', /sends back what it receives/);
    server.options.echo = false;
    backoff.proceed();
    const session = await server.nextStream();
    assert.equal((await session.request(PING)).attrs.type, 'result');
    await stop();
  });

  const conditions: readonly (readonly [string, RegExp])[] = [
    [
      'host-unknown',
      /does not know the component upload\.montague\.tld: add Component "upload\.montague\.tld" to Prosody/,
    ],
    ['conflict', /another program is already connected .* as upload\.montague\.tld/],
    ['invalid-namespace', /port for clients or servers, not for components/],
    ['policy-violation', /ended the stream of upload\.montague\.tld: policy-violation/],
  ];
  for (const [condition, advice] of conditions) {
    test(`reports the remedy for ${condition} and retries`, async () => {
      const server = await FakeComponentServer.listen({ secret: SECRET, streamError: condition });
      await whileDown(server, {}, async ({ components }, backoff) => {
        assert.match(components.status()[0]?.lastError ?? '', advice);
        server.options.streamError = undefined;
        backoff.proceed();
        assert.equal((await (await server.nextStream()).request(PING)).attrs.type, 'result');
      });
    });
  }

  test('reports a closed port, and connects once the server listens', async () => {
    const closed = await FakeComponentServer.listen({ secret: SECRET });
    const { port } = closed;
    await closed.stop();
    const backoff = controlledBackoff();
    const other = await FakeComponentServer.listen({ secret: SECRET });
    const test = await startTestComponent({
      server: Object.create(closed, { port: { value: port }, stop: { value: () => other.stop() } }),
      timing: backoff.timing,
    });
    await backoff.untilDown();
    assert.match(
      test.components.status()[0]?.lastError ?? '',
      /^nothing listens at 127\.0\.0\.1:\d+: check that the XMPP server is running/,
    );
    const late = await FakeComponentServer.listen({ secret: SECRET }, port);
    backoff.proceed();
    assert.equal((await (await late.nextStream()).request(PING)).attrs.type, 'result');
    await test.stop();
    await late.stop();
  });

  test('pings a silent server and reconnects if it does not answer', async () => {
    const { timing } = immediateTimers();
    const keepalive = { pingAfterMs: 20, pingTimeoutMs: 20 };
    await withTestComponent({ timing: { ...timing, keepalive } }, async (dead, { server, logLines }) => {
      const ping = await dead.nextStanza();
      assert.equal(
        ping.attrs.to,
        JID,
        'addressed to the component itself, so that every server routes it back',
      );
      assert.ok(ping.getChild('ping', 'urn:xmpp:ping'));
      const next = await server.nextStream();
      assert.ok(logLines.some((line) => line.includes('does not answer pings')));
      await next.nextStanza();
    });
  });

  test('keeps the connection while the server answers pings', async () => {
    const keepalive = { pingAfterMs: 15, pingTimeoutMs: 150 };
    await withTestComponent({ timing: { keepalive } }, async (session, { server }) => {
      for (let count = 0; count < 4; count += 1) {
        const ping = await session.nextStanza();
        session.write(`<iq type='result' id='${ping.attrs.id}' from='${JID}' to='${JID}'/>`);
      }
      assert.equal(server.connections, 1);
    });
  });

  test('reconnects after malformed XML or data behind the closing tag', async () => {
    const { timing } = immediateTimers();
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

  test('stays up when a user sends a stanza with too many parts, and answers it with an error', async () => {
    await withTestComponent({}, async (stream) => {
      stream.write(`<message from='a@b' to='${JID}'>${'<b/>'.repeat(60_000)}</message>`);
      const answer = await stream.request(iq('<b>'.repeat(20_000) + '</b>'.repeat(20_000)));
      assert.equal(answer.attrs.type, 'error');
      assert.equal((await stream.request(PING)).attrs.type, 'result');
    });
  });

  test('reconnects after an endless stanza', async () => {
    const { timing } = immediateTimers();
    await withTestComponent({ timing }, async (stream, { server, components }) => {
      stream.write(`<message><body>${'x'.repeat(4 * 1024 * 1024)}`);
      const next = await server.nextStream();
      assert.equal((await next.request(PING)).attrs.type, 'result');
      assert.equal(components.status()[0]?.up, true);
    });
  });

  test('handles a stanza that arrives in one packet with the end of the handshake', async () => {
    const server = await FakeComponentServer.listen({ secret: SECRET, sentWithHandshake: PING });
    await withTestComponent({ server }, async (session) => {
      assert.equal((await session.nextStanza()).attrs.type, 'result');
    });
  });

  test('closes the stream on stop, after the answers in progress', async () => {
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
    assert.equal(test.server.connections, 1, 'does not reconnect');
    await test.server.stop();
  });

  for (const state of ['up', 'refused', 'silent'] as const) {
    test(`leaves nothing that keeps the process alive after stop (${state})`, async () => {
      const server = await FakeComponentServer.listen({
        secret: SECRET,
        silent: state === 'silent',
        streamError: state === 'refused' ? 'not-authorized' : undefined,
      });
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'start-and-stop.ts'), String(server.port)],
        {
          stdio: ['ignore', 'inherit', 'inherit'],
        },
      );
      const [code] = await once(child, 'exit');
      assert.equal(code, 0, 'the process ends by itself');
      await server.stop();
    });
  }
});

describe('several component JIDs', () => {
  test('are answered on every stream, because ejabberd distributes stanzas over all of them', async () => {
    const jids = ['upload.montague.tld', 'upload.capulet.lit'];
    const test = await startTestComponent({ jids });
    for (const session of [await test.server.nextStream(), await test.server.nextStream()]) {
      for (const to of jids) {
        const answer = await session.request(iq(slotRequest("filename='a' size='1'"), { to }));
        assert.deepEqual([answer.attrs.type, answer.attrs.from], ['result', to]);
      }
      const other = await session.request(iq("<ping xmlns='urn:xmpp:ping'/>", { to: 'upload.escalus.lit' }));
      assert.equal(other.attrs.type, 'error');
    }
    await test.stop();
  });

  test('have one stream each, with answers from the addressed JID', async () => {
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
