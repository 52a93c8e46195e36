import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { runCommandLine } from '../../../src/cli/program.ts';
import { ALERTS, PASSWORD, ROMEO, startTestMessageServer, TOKEN } from '../../support/test-message-server.ts';

const JULIET = 'juliet@example.org';

async function openShell(t: TestContext) {
  const house = await startTestMessageServer(t);
  const { folder } = house;
  const url = `http://127.0.0.1:${house.port}`;
  await writeFile(join(folder, 'picture.png'), Buffer.alloc(200_000, 'p'));
  return {
    ...house,
    async send(args: readonly string[], env: Record<string, string> = { PORTER_TOKEN: TOKEN }, input = '') {
      const said = { out: '', err: '' };
      const writer = (name: 'out' | 'err') =>
        new Writable({
          write(chunk, _encoding, done) {
            said[name] += chunk;
            done();
          },
        });
      const shell = {
        stdout: writer('out'),
        stderr: writer('err'),
        stdin: Readable.from([Buffer.from(input)]),
        env: { PORTER_URL: url, ...env },
        cwd: folder,
      };
      const code = await runCommandLine(['send', ...args], shell);
      return { code, ...said };
    },
  };
}

describe('porter send', () => {
  test('sends a text with a token, and says what became of it', async (t) => {
    const { send, delivered } = await openShell(t);
    const { code, out, err } = await send([JULIET, '-m', 'Done.', '--subject', 'Backup']);
    assert.equal(code, 0, err);
    assert.equal(out, `${JULIET}: sent\n`);
    const [{ from, message } = assert.fail()] = delivered;
    assert.equal(from, ALERTS);
    assert.equal(message.getChild('body')?.getText(), 'Done.');
    assert.equal(message.getChild('subject')?.getText(), 'Backup');
  });

  test('reads the text from its input, and sends with an account', async (t) => {
    const { send, delivered } = await openShell(t);
    const env = { PORTER_PASSWORD: PASSWORD };
    const { code, err } = await send(['juliet', '--account', ROMEO], env, 'two\nlines\n\n');
    assert.equal(code, 0, err);
    assert.equal(delivered[0]?.message.getChild('body')?.getText(), 'two\nlines');
  });

  test('takes a token out of a file, and files along, and shows how far they are', async (t) => {
    const { send, delivered, folder, request } = await openShell(t);
    await writeFile(join(folder, 'token'), `${TOKEN}\n`);
    const { code, out, err } = await send([JULIET, '--token-file', 'token', '-f', 'picture.png'], {});
    assert.equal(code, 0, err);
    assert.equal(err, 'Sending: 195.3 KiB of 195.3 KiB\n');
    const link = delivered[0]?.message.getChild('body')?.getText() ?? '';
    assert.equal(out, `${JULIET}: sent ${link}\n`);
    assert.equal((await request(new URL(link).pathname)).body.length, 200_000);
  });

  test('sends to rooms', async (t) => {
    const { send, delivered } = await openShell(t);
    const args = ['team@example.org', '--type', 'groupchat', '--nick', 'Bot', '-m', 'x', '--wait', '0'];
    assert.equal((await send(args)).code, 0);
    assert.equal(delivered[0]?.options.room?.nick, 'Bot');
    assert.equal(delivered[0]?.options.bounceWait, 0);
  });

  test('tells as JSON what a script needs', async (t) => {
    const { send } = await openShell(t);
    const { code, out } = await send([JULIET, '-m', 'x', '--json']);
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).messages[0].to, JULIET);
  });

  test('fails with a sentence where Porter refuses, and where nobody answers', async (t) => {
    const { send, onDeliver } = await openShell(t);
    onDeliver(() => {
      throw new Refusal('bounced', { text: 'There is no such user.' });
    });
    const bounced = await send([JULIET, '-m', 'x']);
    assert.equal(bounced.code, 1);
    assert.equal(bounced.err, 'porter: There is no such user.\n');
    const stranger = await send([JULIET, '-m', 'x'], { PORTER_TOKEN: 'wrong' });
    assert.equal(stranger.code, 1);
    assert.match(stranger.err, /The token is unknown/);
    const gone = await send([JULIET, '-m', 'x', '--url', 'http://127.0.0.1:9']);
    assert.equal(gone.code, 1);
    assert.match(gone.err, /cannot be reached at http:\/\/127\.0\.0\.1:9/);
  });

  test('says how it is used where that is not clear, with code 2', async (t) => {
    const { send, delivered } = await openShell(t);
    for (const args of [[], [JULIET, '-m', ''], [JULIET, '-m', 'x', '--type', 'error'], [JULIET, '-f', '.']])
      assert.equal((await send(args)).code, 2, args.join(' '));
    assert.equal((await send([JULIET, '-m', 'x'], {})).code, 2, 'without a token');
    assert.equal((await send([JULIET, '-m', 'x', '--account', ROMEO], {})).code, 2, 'nobody to ask');
    assert.deepEqual(delivered, []);
  });
});
