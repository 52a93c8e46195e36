import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeC2sServer } from '../../support/fake-c2s-server.ts';
import { startPorter } from '../support/porter-process.ts';

test('with an empty messages section no account of a domain that the config does not name gets a login', async () => {
  let logins = 0;
  const server = await FakeC2sServer.listen(async () => {
    logins += 1;
  });
  const porter = await startPorter({
    config: {
      access: [{ jid: '.*', max_file_size: '1 MiB' }, { jid: '@localhost$' }],
      messages: { server: `127.0.0.1:${server.port}`, require_tls: false, answer_timeout: '1s' },
    },
  });
  const post = async (account: string) => {
    const headers = { Authorization: `Basic ${btoa(`${account}:password`)}` };
    const { status } = await fetch(`${porter.url}/msg/a@localhost`, { method: 'POST', headers, body: 'x' });
    return status;
  };
  try {
    assert.equal(await post('stranger@evil.example'), 401);
    assert.equal(logins, 0);
    assert.notEqual(await post('romeo@localhost'), 401);
    assert.equal(logins, 1, 'the accounts of a named domain do get one');
  } finally {
    await porter.remove();
    await server.stop();
  }
});
