import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createTextFormatter } from '../../../src/base/log-lines/text.ts';

const LOG = join(import.meta.dirname, '../../../src/base/log.ts');
const CONFIG = join(import.meta.dirname, '../../../src/config/load.ts');
const RUNTIME = join(import.meta.dirname, '../../../src/server/runtime.ts');
const KEYS = ['secret', 'token', 'password', 'authorization', 'cookie', 'putUrl', 'putKey'];

type Format = 'json' | 'pretty' | 'journal';

/** Runs statements with a `log` in a separate process, because the log writes to a file descriptor. */
function runWithLog(format: Format, statements: string, level = 'info'): string {
  const code = `import { createLog } from ${JSON.stringify(LOG)};
    const log = createLog({ level: ${JSON.stringify(level)}, format: ${JSON.stringify(format)} });
    ${statements}`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
  });
  assert.notEqual(stdout, '', stderr);
  return stdout;
}

describe('the log', () => {
  for (const format of ['json', 'pretty', 'journal'] as const)
    test(`never contains a token, password or upload link, at any of three levels: ${format}`, () => {
      const secrets = Object.fromEntries(KEYS.map((key) => [key, `hidden-${key}`]));
      const fields = { ...secrets, request: { ...secrets, headers: secrets }, shown: 'visible' };
      const line = runWithLog(format, `log.info(${JSON.stringify(fields)}, 'a line');`);
      assert.match(line, /visible/);
      assert.doesNotMatch(line, /hidden-/);
    });

  test('hides the secrets of errors and lists, and leaves the logged object as it is', () => {
    const output = runWithLog(
      'json',
      `const fields = { list: [{ token: 'hidden-1', name: 'shown' }] };
       log.info(fields, 'a list');
       log.info({ kept: fields.list[0].token.length }, 'still there');
       log.warn({ err: Object.assign(new Error('failed'), { token: 'hidden-2', config: { headers: { authorization: 'hidden-3' } } }) });`,
    );
    assert.doesNotMatch(output, /hidden-/);
    const [list, kept, failed] = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(list.list, [{ token: '(secret)', name: 'shown' }]);
    assert.equal(kept.kept, 'hidden-1'.length);
    assert.equal(failed.err.message, 'failed');
  });

  test('has the names of levels and ISO times in JSON', () => {
    const lines = runWithLog('json', "log.info('one'); log.child({ worker: 1 }).warn('two');")
      .trim()
      .split('\n');
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ level, msg }) => [level, msg]),
      [
        ['info', 'one'],
        ['warn', 'two'],
      ],
    );
    for (const { time } of records) assert.equal(new Date(time).toISOString(), time);
  });

  test('starts every line for the journal with its priority, those of a stack too', () => {
    const output = runWithLog(
      'journal',
      "log.info({ owner: 'romeo@example.org', size: 1258291 }, 'upload stored'); log.error({ err: new TypeError('x is undefined') }, 'internal error');",
    );
    const [stored, failed, ...stack] = output.trim().split('\n');
    assert.equal(stored, '<6>upload stored  owner=romeo@example.org size="1.2 MiB"');
    assert.equal(failed, '<3>internal error: x is undefined');
    assert.ok(stack.length > 0);
    for (const line of stack) assert.match(line, /^<3> {4}at /);
  });

  test('shows no stack for a failure of the network, the disk or permissions, except at the level debug', () => {
    const statements = `import { connect } from 'node:net';
      connect(1, '127.0.0.1').on('error', (err) => {
        log.error({ err }, 'cannot connect');
        log.error({ err: new Error('no ledger', { cause: err }) }, 'cannot start');
      });`;
    const records = runWithLog('json', statements)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ err }) => [err.message, err.stack]),
      [
        ['connect ECONNREFUSED 127.0.0.1:1', undefined],
        ['no ledger: connect ECONNREFUSED 127.0.0.1:1', undefined],
      ],
    );
    assert.match(runWithLog('json', statements, 'debug'), /"stack"/);
    assert.match(
      runWithLog('json', "log.error({ err: new TypeError('a bug') }, 'internal error');"),
      /"stack"/,
    );
  });

  test('is plain text with priorities where the output goes to the journal of systemd', () => {
    const target = join(mkdtempSync(join(tmpdir(), 'porter-log-')), 'journal');
    const code = `import { createServerLog } from ${JSON.stringify(RUNTIME)};
      import { loadConfig } from ${JSON.stringify(CONFIG)};
      createServerLog({ log: { level: 'info', format: 'auto' } }).info('ready');`;
    const run = (journalStream: (file: string) => string) => {
      const fd = openSync(target, 'w');
      const { dev, ino } = fstatSync(fd, { bigint: true });
      const env = { ...process.env, JOURNAL_STREAM: journalStream(`${dev}:${ino}`) };
      spawnSync(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', fd, 'inherit'],
        env,
      });
      closeSync(fd);
      return readFileSync(target, 'utf8');
    };
    assert.equal(
      run((file) => file),
      '<6>ready\n',
    );
    // A program that a service starts inherits the variable, while its output goes elsewhere.
    assert.match(
      run(() => '1:1'),
      /^\{/,
    );
  });
});

describe('the text of a log line', () => {
  const format = (fields: Record<string, unknown>) =>
    createTextFormatter({ format: 'journal', isColored: false })(
      JSON.stringify({ level: 'warn', time: '2026-01-02T03:04:05.678Z', ...fields }),
    );

  test('does not repeat what the message already says', () => {
    assert.equal(
      format({
        msg: 'Cannot reach PostgreSQL (ECONNREFUSED).',
        err: { message: 'Cannot reach PostgreSQL (ECONNREFUSED).' },
      }),
      '<4>Cannot reach PostgreSQL (ECONNREFUSED).\n',
    );
  });

  test('joins the message and the reason by one colon', () => {
    assert.equal(
      format({ msg: 'The component stream is down.', err: { message: 'nothing listens' } }),
      '<4>The component stream is down: nothing listens\n',
    );
  });

  test('stays one line of visible characters, whatever a file is called', () => {
    assert.equal(
      format({ msg: 'slot refused\nfake line', name: 'a\u202Egpj.exe "x"\u001B[2J' }),
      '<4>slot refused\\u{000a}fake line  name="a\\u{202e}gpj.exe \\"x\\"\\u{001b}[2J"\n',
    );
  });

  test('has the local time and the level on a terminal', () => {
    const line = createTextFormatter({ format: 'pretty', isColored: false })(
      JSON.stringify({
        level: 'info',
        time: '2026-01-02T03:04:05.678Z',
        msg: 'listening',
        pid: 7,
        hostname: 'h',
      }),
    );
    assert.match(line, /^\d\d:\d\d:\d\d INFO {2}listening\n$/);
  });
});
