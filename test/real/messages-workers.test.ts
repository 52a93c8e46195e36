import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask } from './ask.ts';
import { logOf, workersOf } from './crew.ts';
import { needs } from './peers.ts';
import { startPorter } from './porter.ts';
import { freePort } from './ports.ts';
import { startProsody } from './prosody.ts';
import { PASSWORD, setStage } from './stage.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const TOKEN = 'a-token-of-twenty-three';
const MESSAGES = 40;

test('every worker sends for tokens, whichever of them holds the stream', {
  skip: needs('prosody', 'slixmpp'),
}, async (t) => {
  const stage = await setStage();
  t.after(() => stage.clear());
  const server = await startProsody({ components: [{ jid: BOT, secret: SECRET }], tls: stage.certificate });
  t.after(() => server.stop());
  await server.register('juliet', PASSWORD);
  const port = await freePort();
  const porter = await startPorter({
    port,
    config: {
      workers: 2,
      public_url: `http://127.0.0.1:${port}`,
      component: { jid: BOT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
      messages: { tokens: [{ token: TOKEN, from: `alerts@${BOT}` }], answer_timeout: '60s' },
    },
  });
  t.after(() => porter.remove());
  await porter.program.until('both workers', () => workersOf(porter.program).size === 2, 90);
  await porter.program.until(
    'the stream',
    async () => (await ask(`${porter.url}/readyz`)).status === 200,
    90,
  );
  const juliet = await stage.login(server, 'juliet');
  t.after(() => juliet.logout());
  const texts = Array.from({ length: MESSAGES }, (_, number) => `message ${number}`);
  const statuses = await Promise.all(
    texts.map(async (body) => {
      const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'text/plain' };
      const { status } = await ask(`${porter.url}/msg/juliet@localhost?wait=0`, {
        method: 'POST',
        headers,
        body,
      });
      return status;
    }),
  );
  assert.deepEqual(new Set(statuses), new Set([201]));
  const collected = await juliet.do<{ messages: [string, string][]; error?: never }>('collect', {
    count: MESSAGES,
  });
  assert.deepEqual(collected.messages.map(([, body]) => body).sort(), [...texts].sort());
  const sent = logOf(porter.program).filter(({ msg }) => msg === 'message sent');
  assert.equal(new Set(sent.map(({ worker }) => worker)).size, 2, 'both had a part in it');
});
