import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { signV, UUID } from '../../support/test-signed-links-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';

const [OLD, NEW] = ['the old secret of the server', 'the new secret of the server'];
const external = (secret: string | readonly string[]) => ({ external: { secret, path: '/upload/' } });

async function put(porter: PorterProcess, name: string, secret: string): Promise<number> {
  const path = `${UUID}/${name}`;
  const { status } = await httpRequest(`${porter.url}/upload/${path}?v=${signV(path, 5, secret)}`, {
    method: 'PUT',
    body: 'hello',
  });
  return status;
}

describe('The HMAC endpoint', () => {
  test('accepts both secrets during a change, and its files can be deleted by link', async () => {
    const porter = await startPorter({ config: external(OLD) });
    try {
      assert.equal(await put(porter, 'a.txt', OLD), 201);
      assert.equal(await put(porter, 'b.txt', NEW), 403);
      await porter.writeConfig(external([NEW, OLD]));
      porter.program.signal('SIGHUP');
      await porter.program.waitFor('the new secret', async () => (await put(porter, 'b.txt', NEW)) === 201);
      assert.equal(await put(porter, 'c.txt', OLD), 201);

      const link = `${porter.url}/upload/${UUID}/a.txt`;
      const answer = await porter.runCommand('why', link);
      assert.match(answer.stdout, /"a\.txt" of external, 5 bytes, text\/plain/);
      const gone = await porter.runCommand('delete', link);
      assert.equal(gone.code, 0, gone.stderr);
      await porter.program.waitFor('the file to go', async () => (await httpRequest(link)).status === 404);
      assert.equal(await put(porter, 'a.txt', NEW), 409);
      assert.match((await porter.runCommand('why', link)).stdout, /It was deleted by porter delete at/);
    } finally {
      await porter.remove();
    }
  });
});
