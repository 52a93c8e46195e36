import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { runCommandLine } from '../../../src/cli/program.ts';
import { ALERTS, PASSWORD, ROMEO, startTestMessageServer, TOKEN } from '../../support/test-message-server.ts';

const JULIET = 'juliet@example.org';

/** A Porter with an account and a token, and `porter send` for it. */
async function startSendTest(t: TestContext) {
  const server = await startTestMessageServer(t);
  const { folder } = server;
  const url = `http://127.0.0.1:${server.port}`;
  await writeFile(join(folder, 'picture.png'), Buffer.alloc(200_000, 'p'));
  return {
    ...server,
    async send(args: readonly string[], env: Record<string, string> = { PORTER_TOKEN: TOKEN }, input = '') {
      const output = { out: '', err: '' };
      const writer = (name: 'out' | 'err') =>
        new Writable({
          write(chunk, _encoding, done) {
            output[name] += chunk;
            done();
          },
        });
      const context = {
        stdout: writer('out'),
        stderr: writer('err'),
        stdin: Readable.from([Buffer.from(input)]),
        env: { PORTER_URL: url, ...env },
        cwd: folder,
      };
      const code = await runCommandLine(['send', ...args], context);
      return { code, ...output };
    },
  };
}

describe('porter send', () => {
  test('sends a text with a token, and prints the result', async (t) => {
    const { send, delivered } = await startSendTest(t);
    const { code, out, err } = await send([JULIET, '-m', 'Done.', '--subject', 'Backup']);
    assert.equal(code, 0, err);
    assert.equal(out, `${JULIET}: sent\n`);
    const [{ from, message } = assert.fail()] = delivered;
    assert.equal(from, ALERTS);
    assert.equal(message.getChild('body')?.getText(), 'Done.');
    assert.equal(message.getChild('subject')?.getText(), 'Backup');
  });

  test('reads the text from standard input, and sends with an account', async (t) => {
    const { send, delivered } = await startSendTest(t);
    const env = { PORTER_PASSWORD: PASSWORD };
    const { code, err } = await send(['juliet', '--account', ROMEO], env, 'two\nlines\n\n');
    assert.equal(code, 0, err);
    assert.equal(delivered[0]?.message.getChild('body')?.getText(), 'two\nlines');
  });

  test('reads the token from a file, sends files, and shows the progress', async (t) => {
    const { send, delivered, folder, request } = await startSendTest(t);
    await writeFile(join(folder, 'token'), `${TOKEN}\n`);
    const { code, out, err } = await send([JULIET, '--token-file', 'token', '-f', 'picture.png'], {});
    assert.equal(code, 0, err);
    assert.equal(err, 'Sending: 195.3 KiB of 195.3 KiB\n');
    const link = delivered[0]?.message.getChild('body')?.getText() ?? '';
    assert.equal(out, `${JULIET}: sent ${link}\n`);
    assert.equal((await request(new URL(link).pathname)).body.length, 200_000);
  });

  test('sends to rooms', async (t) => {
    const { send, delivered } = await startSendTest(t);
    const args = ['team@example.org', '--type', 'groupchat', '--nick', 'Bot', '-m', 'x', '--wait', '0'];
    assert.equal((await send(args)).code, 0);
    assert.equal(delivered[0]?.options.room?.nick, 'Bot');
    assert.equal(delivered[0]?.options.bounceWait, 0);
  });

  test('prints the result as JSON for scripts', async (t) => {
    const { send } = await startSendTest(t);
    const { code, out } = await send([JULIET, '-m', 'x', '--json']);
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).messages[0].to, JULIET);
  });

  test('exits with 1 and the reason if Porter refuses or does not answer', async (t) => {
    const { send, onDeliver } = await startSendTest(t);
    onDeliver(() => {
      throw new Refusal('bounced', { text: 'There is no such user.' });
    });
    const bounced = await send([JULIET, '-m', 'x']);
    assert.equal(bounced.code, 1);
    assert.equal(bounced.err, 'porter: There is no such user.\n');
    const unauthorized = await send([JULIET, '-m', 'x'], { PORTER_TOKEN: 'wrong' });
    assert.equal(unauthorized.code, 1);
    assert.match(unauthorized.err, /The token is unknown/);
    const unreachable = await send([JULIET, '-m', 'x', '--url', 'http://127.0.0.1:9']);
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.err, /cannot be reached at http:\/\/127\.0\.0\.1:9/);
  });

  test('exits with 2 for wrong usage', async (t) => {
    const { send, delivered } = await startSendTest(t);
    for (const args of [[], [JULIET, '-m', ''], [JULIET, '-m', 'x', '--type', 'error'], [JULIET, '-f', '.']])
      assert.equal((await send(args)).code, 2, args.join(' '));
    assert.equal((await send([JULIET, '-m', 'x'], {})).code, 2, 'without a token');
    assert.equal(
      (await send([JULIET, '-m', 'x', '--account', ROMEO], {})).code,
      2,
      'no terminal for the password',
    );
    assert.deepEqual(delivered, []);
  });
});
