import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { signV, UUID } from '../support/signed-links.ts';
import { ask } from './ask.ts';
import { type RunningPorter, startPorter } from './porter.ts';

const [OLD, NEW] = ['the old secret of theirs', 'the new secret of theirs'];
const external = (secret: string | readonly string[]) => ({ external: { secret, path: '/upload/' } });

async function put(porter: RunningPorter, name: string, secret: string): Promise<number> {
  const path = `${UUID}/${name}`;
  const { status } = await ask(`${porter.url}/upload/${path}?v=${signV(path, 5, secret)}`, {
    method: 'PUT',
    body: 'hello',
  });
  return status;
}

describe('the HMAC door of the whole program', () => {
  test('changes its secret without a gap, and is emptied by link', async () => {
    const porter = await startPorter({ config: external(OLD) });
    try {
      assert.equal(await put(porter, 'a.txt', OLD), 201);
      assert.equal(await put(porter, 'b.txt', NEW), 403);
      await porter.configure(external([NEW, OLD]));
      porter.program.signal('SIGHUP');
      await porter.program.until('the new secret', async () => (await put(porter, 'b.txt', NEW)) === 201);
      assert.equal(await put(porter, 'c.txt', OLD), 201);

      const link = `${porter.url}/upload/${UUID}/a.txt`;
      const told = await porter.run('why', link);
      assert.match(told.stdout, /"a\.txt" of external, 5 bytes, text\/plain/);
      const gone = await porter.run('delete', link);
      assert.equal(gone.code, 0, gone.stderr);
      await porter.program.until('the file to go', async () => (await ask(link)).status === 404);
      assert.equal(await put(porter, 'a.txt', NEW), 409);
      assert.match((await porter.run('why', link)).stdout, /It was deleted \(deleted by porter delete\)/);
    } finally {
      await porter.remove();
    }
  });
});
