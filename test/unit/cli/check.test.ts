import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runCommand } from './run-command.ts';

const GOOD = "access: [{jid: '@example.org$'}]\n";
const BAD = 'workers: many\nacces: []\n';

let folder = '';
let empty = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'porter-check-'));
  empty = join(folder, 'empty');
  await mkdir(empty);
  await writeFile(join(folder, 'good.yml'), GOOD);
  await writeFile(join(folder, 'bad.yml'), BAD);
  await writeFile(join(folder, 'warned.yml'), 'workers: 1\n');
});
after(() => rm(folder, { recursive: true }));

describe('porter check', () => {
  test('accepts a valid config', async () => {
    assert.deepEqual(await runCommand(folder, ['check', '-c', 'good.yml']), {
      code: 0,
      out: 'good.yml is valid.\n',
      err: '',
    });
  });

  test('takes the config file as an argument too', async () => {
    assert.equal((await runCommand(folder, ['check', 'good.yml'])).out, 'good.yml is valid.\n');
    assert.equal((await runCommand(folder, ['check', 'bad.yml'])).code, 2);
    const twice = await runCommand(folder, ['check', 'good.yml', '-c', 'bad.yml']);
    assert.equal(twice.code, 2);
    assert.match(twice.err, /Give the config file once/);
    assert.match((await runCommand(folder, ['serve', 'bad.yml'])).err, /bad\.yml:1: workers: expected/);
  });

  test('counts the warnings of a valid config', async () => {
    const { code, out, err } = await runCommand(folder, ['check', 'warned.yml']);
    assert.equal(code, 0);
    assert.equal(out, 'warned.yml is valid, with 1 warning.\n');
    assert.match(err, /^warning: No access rules/);
  });

  test('lists every problem with its line and exits with 2', async () => {
    const { code, out, err } = await runCommand(folder, ['check', '-c', 'bad.yml']);
    assert.equal(code, 2);
    assert.equal(out, '');
    assert.deepEqual(err.split('\n'), [
      'bad.yml:1: workers: expected a whole number from 1 to 1024, or auto, got "many"',
      'bad.yml:2: acces: unknown key; did you mean access?',
      '2 problems with the config; nothing was done.',
      '',
    ]);
  });

  test('reports TLS files that cannot be read beside other problems', async () => {
    const text = 'workers: many\ntls: {cert: missing.pem, key: missing.key}\nmessages: [\n';
    await writeFile(join(folder, 'tls.yml'), text);
    const { err } = await runCommand(folder, ['check', 'tls.yml']);
    assert.deepEqual(
      err.split('\n').map((line) => line.replace(/(not valid YAML): .*/, '$1')),
      [
        'tls.yml:1: workers: expected a whole number from 1 to 1024, or auto, got "many"',
        'tls.yml:2: tls.cert: cannot be read: the file does not exist',
        'tls.yml:2: tls.key: cannot be read: the file does not exist',
        'tls.yml:3: not valid YAML',
        '4 problems with the config; nothing was done.',
        '',
      ],
    );
  });

  test('prints problems as JSON with --json', async () => {
    const bad = await runCommand(folder, ['check', '--json', '-c', 'bad.yml']);
    assert.equal(bad.code, 2);
    assert.deepEqual(JSON.parse(bad.out), {
      ok: false,
      file: 'bad.yml',
      problems: [
        { line: 1, key: 'workers', message: 'expected a whole number from 1 to 1024, or auto, got "many"' },
        { line: 2, key: 'acces', message: 'unknown key', hint: 'did you mean access?' },
      ],
      warnings: [],
    });
    const good = await runCommand(folder, ['check', '--json', '-c', 'good.yml']);
    assert.equal(good.code, 0);
    assert.deepEqual(JSON.parse(good.out), { ok: true, file: 'good.yml', problems: [], warnings: [] });
  });

  test('prints warnings and exits with 0', async () => {
    const { code, err } = await runCommand(folder, ['check', '-c', 'warned.yml']);
    assert.equal(code, 0);
    assert.match(err, /^warning: No access rules: all uploads are denied/);
  });

  test('warns that Safari cannot show a PDF inline', async () => {
    for (const [type, count] of [
      ['application/pdf', 1],
      ['application/*', 1],
      ['image/*', 0],
    ] as const) {
      const name = `inline-${count}.yml`;
      const text = `access: [{jid: '@example\\.org$'}]\ndownloads: {inline_types: ['${type}']}\n`;
      await writeFile(join(folder, name), text);
      const { err, code } = await runCommand(folder, ['check', name]);
      assert.equal(code, 0);
      assert.equal(err.match(/Safari shows a blank page for a PDF/g)?.length ?? 0, count, type);
    }
  });

  test('uses -c, else PORTER_CONFIG, else porter.yml in the current folder, else the defaults', async () => {
    const env = { PORTER_CONFIG: 'bad.yml' };
    assert.match((await runCommand(folder, ['check', '-c', 'good.yml'], env)).out, /good\.yml/);
    assert.match((await runCommand(folder, ['check'], env)).err, /bad\.yml/);
    assert.match((await runCommand(empty, ['check'])).out, /No config file/);
    await writeFile(join(folder, 'porter.yml'), GOOD);
    assert.match((await runCommand(folder, ['check'])).out, /^porter\.yml is valid/);
  });

  test('reports a missing config file', async () => {
    const { code, err } = await runCommand(empty, ['check', '-c', 'nope.yml']);
    assert.equal(code, 2);
    assert.match(err, /nope\.yml: cannot be read: the file does not exist/);
  });

  test('reports a certificate that the server cannot use', async () => {
    await writeFile(join(folder, 'no.pem'), 'no certificate');
    await writeFile(join(folder, 'tls.yml'), `${GOOD}tls: {cert: no.pem, key: no.pem}\n`);
    await writeFile(join(folder, 'gone.yml'), `${GOOD}tls: {cert: no.pem, key: gone.pem}\n`);
    const unfit = await runCommand(folder, ['check', '-c', 'tls.yml']);
    assert.equal(unfit.code, 2);
    assert.match(unfit.err, /tls\.yml:2: tls: certificate and key cannot be used together/);
    const gone = await runCommand(folder, ['check', '-c', 'gone.yml']);
    assert.match(gone.err, /gone\.yml:2: tls\.key: cannot be read: the file does not exist/);
  });
});
