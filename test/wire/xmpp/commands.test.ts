import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import xml from '@xmpp/xml';
import { SESSION_TIMEOUT_MS } from '../../../src/xmpp/commands/sessions.ts';
import {
  COMMANDS,
  type CommandUser,
  commandElement,
  startTestCommands,
} from '../../support/test-commands.ts';
import { DOWNLOAD_URL } from '../../support/test-component.ts';
import { access, MINUTE } from '../../support/test-services.ts';

const ROMEO = 'romeo@example.org';
const JULIET = 'juliet@example.org';
const ADMIN = 'admin@example.org';
const HELPER = 'helper@example.org';
const STAFF = { admins: [ADMIN], moderators: [HELPER] };

const OWN = ['my-quota', 'my-files', 'delete-file', 'delete-all-files'];
const MODERATION = ['statistics', 'user-files', 'delete-link'];

async function startWithFiles(t: TestContext, names: readonly string[] = [], jid = ROMEO) {
  const test = await startTestCommands(t, STAFF);
  for (const name of names) {
    await test.upload({ name, jid });
    // Ids have the second of their slot.
    test.advance(1000);
  }
  return test;
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}.jpg`);

describe('the list of commands', () => {
  test('has only the commands that the requester may run', async (t) => {
    const test = await startTestCommands(t, STAFF);
    assert.deepEqual(await test.as(ROMEO).nodes(), OWN);
    assert.deepEqual(await test.as(HELPER).nodes(), [...OWN, ...MODERATION]);
    assert.deepEqual(await test.as(ADMIN).nodes(), [...OWN, ...MODERATION, 'forget-user', 'sweep-now']);
    assert.deepEqual(await test.as('stranger@elsewhere.example').nodes(), []);
  });

  test('stays for a user who may no longer upload and has files', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    test.setRules({ access: access({ jid: ['^juliet@'] }) });
    assert.deepEqual(await test.as(ROMEO).nodes(), OWN);
  });

  test('follows a reload, also within a command', async (t) => {
    const test = await startTestCommands(t, STAFF);
    const admin = test.as(ADMIN);
    const started = await admin.start('forget-user');
    test.setAdmins({ admins: [] });
    assert.deepEqual(await admin.nodes(), OWN);
    const error = await admin.fail(commandElement(started, { user: [ROMEO] }));
    assert.equal(error.condition, 'forbidden');
  });

  test('is described by service discovery, as is each command', async (t) => {
    const test = await startTestCommands(t, STAFF);
    const romeo = test.as(ROMEO);
    assert.equal((await romeo.info(COMMANDS))[0], 'automation/command-list');
    assert.deepEqual(await romeo.info('my-files'), ['automation/command-node', COMMANDS, 'jabber:x:data']);
  });
});

describe('a command', () => {
  const refused = (
    user: CommandUser,
    attributes: Record<string, string>,
    ...children: Parameters<typeof xml>[2][]
  ) => user.fail(xml('command', { xmlns: COMMANDS, node: 'delete-all-files', ...attributes }, ...children));

  test('that is unknown or not permitted is refused', async (t) => {
    const romeo = (await startTestCommands(t, STAFF)).as(ROMEO);
    assert.equal((await refused(romeo, { node: 'nope' })).condition, 'item-not-found');
    const denied = await refused(romeo, { node: 'sweep-now' });
    assert.deepEqual(denied, {
      type: 'auth',
      condition: 'forbidden',
      element: undefined,
      text: 'You are not allowed to run this command.',
    });
  });

  test('is refused with the condition of XEP-0050 if its action or session is wrong', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const romeo = test.as(ROMEO);
    assert.equal((await refused(romeo, { action: 'dance' })).element, 'malformed-action');
    assert.equal((await refused(romeo, { action: 'next' })).element, 'bad-action');
    assert.equal((await refused(romeo, { sessionid: 'x' })).element, 'bad-sessionid');
    const started = await romeo.start('delete-all-files');
    const { sessionid } = started;
    const wrong = await refused(romeo, { sessionid, action: 'prev' });
    assert.deepEqual([wrong.type, wrong.condition, wrong.element], ['modify', 'bad-request', 'bad-action']);
    assert.equal(wrong.text, 'The command offers only these actions now: complete, cancel.');
    assert.equal((await refused(romeo, { sessionid, node: 'my-files' })).element, 'bad-sessionid');
    const form = xml('x', { xmlns: 'jabber:x:data', type: 'form' });
    assert.equal((await refused(romeo, { sessionid }, form)).element, 'bad-payload');
    const answer = await romeo.go(started, 'complete', { confirm: ['1'] });
    assert.equal(answer.status, 'completed', 'errors do not end the session');
  });

  test('expires, and says that it has to be started again', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const romeo = test.as(ROMEO);
    const started = await romeo.start('delete-all-files');
    test.advance(SESSION_TIMEOUT_MS + 1);
    assert.deepEqual(await romeo.fail(commandElement(started, { confirm: ['1'] })), {
      type: 'cancel',
      condition: 'not-allowed',
      element: 'session-expired',
      text: 'This command has expired. Start it again.',
    });
  });

  test('cannot be continued by another account', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const started = await test.as(ROMEO).start('delete-all-files');
    assert.equal((await test.as(JULIET).fail(commandElement(started))).element, 'session-expired');
    assert.equal((await test.as(ROMEO).go(started, 'cancel')).status, 'canceled');
  });

  test('that is started often drops the oldest session of its owner only', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    await test.upload({ jid: JULIET });
    const [romeo, juliet] = [test.as(ROMEO), test.as(JULIET)];
    const other = await juliet.start('delete-all-files');
    const first = await romeo.start('delete-all-files');
    for (let count = 0; count < 5; count += 1) await romeo.start('delete-all-files');
    assert.equal((await romeo.fail(commandElement(first))).element, 'session-expired');
    assert.equal((await juliet.go(other, 'cancel')).status, 'canceled');
  });
});

describe('my quota', () => {
  test('says what is used, what is allowed and whether an upload is possible', async (t) => {
    const test = await startWithFiles(t);
    test.setRules({ access: access({ max_total_size: 150, max_file_size: 100 }) });
    await test.upload({ size: 100 });
    const answer = await test.as(ROMEO).start('my-quota');
    assert.equal(answer.status, 'completed');
    assert.deepEqual(answer.notes, [['info', 'You have 1 file, 100 bytes. You can upload files now.']]);
    assert.equal(answer.formType, 'result');
    assert.equal(answer.fields.used, '1 file, 100 bytes');
    assert.match(answer.fields['limit-1'] ?? '', /^100 bytes of 150 bytes in total/);
    assert.equal(answer.fields['rule-1'], 'at most 100 bytes per file');
    assert.equal(answer.fields.kept, '30 d');
  });

  test('warns when no upload is possible, and hides the use of all users', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    test.setRules({ globalQuota: 100 });
    const answer = await test.as(ROMEO).start('my-quota');
    assert.equal(answer.notes[0]?.[0], 'warn');
    assert.match(answer.notes[0]?.[1] ?? '', /You cannot upload files now: this service is full\./);
    assert.doesNotMatch(JSON.stringify(answer), /of all users/);
  });
});

describe('my files', () => {
  test('lists a few files at once, for people and as a table', async (t) => {
    const test = await startWithFiles(t, ['old.jpg', 'Grüße.jpg']);
    const answer = await test.as(ROMEO).start('my-files');
    assert.equal(answer.status, 'completed');
    assert.deepEqual(answer.notes, [['info', 'You have 2 files, 200 bytes.']]);
    assert.match(
      answer.lines[0] ?? '',
      new RegExp(
        `^Grüße\\.jpg, 100 bytes, 2026-01-01 00:00, until 2026-01-31 00:00: ${DOWNLOAD_URL}/files/[0-9a-z]{26}/Gr%C3%BC%C3%9Fe\\.jpg$`,
      ),
    );
    assert.deepEqual(
      answer.table.map(({ name, size, type }) => [name, size, type]),
      [
        ['Grüße.jpg', '100 bytes', 'image/jpeg'],
        ['old.jpg', '100 bytes', 'image/jpeg'],
      ],
    );
  });

  test('are shown page by page, forwards and backwards, the latest first', async (t) => {
    const test = await startWithFiles(t, numbered(45));
    const romeo = test.as(ROMEO);
    const names = ({ table }: { table: readonly Readonly<Record<string, string>>[] }) =>
      table.map(({ name }) => name);
    const first = await romeo.start('my-files');
    assert.deepEqual(
      [first.status, first.formType, first.actions],
      ['executing', 'form', ['next', 'complete']],
    );
    assert.equal(first.lines.length, 20);
    assert.match(first.instructions, /^You have 45 files, .* These are 1 to 20\.$/);
    const second = await romeo.go(first);
    assert.deepEqual(second.actions, ['next', 'prev', 'complete']);
    const third = await romeo.go(second, 'next');
    assert.deepEqual(third.actions, ['complete', 'prev']);
    assert.deepEqual([...names(first), ...names(second), ...names(third)], numbered(45).toReversed());
    assert.deepEqual(names(await romeo.go(third, 'prev')), names(second));
    const end = await romeo.go(second, 'complete');
    assert.deepEqual([end.status, end.notes[0]?.[1]], ['completed', `You have 45 files, 4.4 KiB.`]);
  });

  test('leave out expired files and those of others', async (t) => {
    const test = await startWithFiles(t, ['gone.jpg']);
    await test.upload({ name: 'hers.jpg', jid: JULIET });
    test.advance(31 * 24 * 60 * MINUTE);
    await test.upload({ name: 'new.jpg' });
    const { table } = await test.as(ROMEO).start('my-files');
    assert.deepEqual(
      table.map(({ name }) => name),
      ['new.jpg'],
    );
  });

  test('are none', async (t) => {
    const { notes } = await (await startWithFiles(t)).as(ROMEO).start('my-files');
    assert.deepEqual(notes, [['info', 'You have no files.']]);
  });
});

describe('delete a file', () => {
  test('deletes the chosen ones of several pages at once, with their bytes', async (t) => {
    const test = await startWithFiles(t, numbered(22));
    const romeo = test.as(ROMEO);
    const first = await romeo.start('delete-file');
    assert.deepEqual(first.actions, ['complete', 'next']);
    const [label = '', value = ''] = Object.entries(first.options)[1] ?? [];
    assert.match(label, /^21\.jpg, 100 bytes, 2026-01-01 00:00$/);
    const second = await romeo.go(first, 'next', { files: [value] });
    assert.match(second.instructions, /1 file chosen on other pages/);
    const [last = ''] = Object.values(second.options).slice(-1);
    const end = await romeo.go(second, undefined, { files: [last] });
    assert.deepEqual([end.status, end.notes], ['completed', [['info', 'Deleted 2 files: 1.jpg, 21.jpg.']]]);
    assert.equal((await test.services.ledger.usage(ROMEO)).uploads, 20);
    assert.equal((await test.services.ledger.findRemoval(value))?.detail, `deleted by ${ROMEO}`);
    assert.deepEqual(
      await test.services.ledger.pendingDeletes({ now: Number.MAX_SAFE_INTEGER, limit: 9 }),
      [],
    );
  });

  test('accepts the label of a choice, which Gajim 1.7 sends, also for equal files', async (t) => {
    const test = await startWithFiles(t, ['a.jpg', 'a.jpg']);
    const romeo = test.as(ROMEO);
    const stage = await romeo.start('delete-file');
    const [[, newest] = [], [label = '', oldest] = []] = Object.entries(stage.options);
    assert.match(label, / \(2\)$/);
    await romeo.go(stage, 'complete', { files: [label] });
    assert.equal(await test.services.ledger.find(oldest ?? ''), undefined);
    assert.ok(await test.services.ledger.find(newest ?? ''));
  });

  test('deletes files by their links, and no file of another user', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const romeo = test.as(ROMEO);
    const { table } = await romeo.start('my-files');
    const hers = await test.upload({ name: 'hers.jpg', jid: JULIET });
    const link = `${DOWNLOAD_URL}/files/${hers.id}/hers.jpg`;
    const stage = await romeo.start('delete-file');
    const end = await romeo.go(stage, 'complete', { links: [`${table[0]?.link}\n${link}`, ''] });
    assert.deepEqual(end.notes, [
      ['info', 'Deleted 1 file: a.jpg.'],
      ['warn', `Not found: ${link}.`],
    ]);
    assert.ok(await test.services.ledger.find(hers.id));
  });

  test('refuses more than 100 links, and deletes nothing', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const links = [Array.from({ length: 101 }, (_, index) => `link-${index}`).join('\n')];
    const problem = ['warn', 'Nothing was deleted: enter at most 100 links at once.'];
    const romeo = test.as(ROMEO);
    const stage = await romeo.start('delete-file');
    const files = Object.values(stage.options);
    assert.deepEqual((await romeo.go(stage, 'complete', { files, links })).notes, [problem]);
    assert.equal((await test.services.ledger.usage(ROMEO)).uploads, 1);
    const helper = test.as(HELPER);
    const again = await helper.go(await helper.start('delete-link'), 'next', { links });
    assert.deepEqual(again.notes, [problem]);
  });

  test('asks again if nothing is chosen', async (t) => {
    const romeo = (await startWithFiles(t, ['a.jpg'])).as(ROMEO);
    const again = await romeo.go(await romeo.start('delete-file'), 'complete', { files: [] });
    assert.equal(again.status, 'executing');
    assert.deepEqual(again.notes, [['warn', 'Nothing was deleted: no file is chosen.']]);
    assert.match(again.instructions, /^Nothing was deleted: no file is chosen\. Choose files/);
  });
});

describe('delete all my files', () => {
  test('deletes them only after the box is ticked, and none of others', async (t) => {
    const test = await startWithFiles(t, ['a.jpg', 'b.jpg']);
    const hers = await test.upload({ jid: JULIET });
    const romeo = test.as(ROMEO);
    const stage = await romeo.start('delete-all-files');
    assert.match(stage.instructions, /^This deletes 2 files, 200 bytes\./);
    const again = await romeo.go(stage, 'complete', { confirm: ['0'] });
    assert.match(again.notes[0]?.[1] ?? '', /^Nothing was deleted: tick the box/);
    assert.equal((await test.services.ledger.usage(ROMEO)).uploads, 2);
    const end = await romeo.go(again, undefined, { confirm: ['true'] });
    assert.deepEqual(end.notes, [['info', 'All your files are deleted: 2 files.']]);
    assert.equal((await test.services.ledger.usage(ROMEO)).uploads, 0);
    assert.ok(await test.services.ledger.find(hers.id));
  });

  test('does not reset the limits per time', async (t) => {
    const test = await startWithFiles(t);
    test.setRules({ access: access({ uploads_per: { period: 60 * MINUTE, uploads: 1 } }) });
    await test.upload();
    const romeo = test.as(ROMEO);
    await romeo.go(await romeo.start('delete-all-files'), 'complete', { confirm: ['1'] });
    await assert.rejects(test.requestSlot(), { code: 'quota_exceeded' });
  });
});

describe('commands of admins', () => {
  test('show the totals of the service', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const { notes, fields } = await test.as(HELPER).start('statistics');
    assert.deepEqual(notes, [['info', '1 file, 100 bytes, of 1 user.']]);
    assert.deepEqual([fields.files, fields.users, fields.quota], ['1', '1', 'none']);
  });

  test('show the files of a user, who may be named in any spelling', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const helper = test.as(HELPER);
    const asked = await helper.start('user-files');
    const again = await helper.go(asked, 'next', { user: ['@example.org'] });
    assert.match(again.notes[0]?.[1] ?? '', /is not a valid JID/);
    const shown = await helper.go(again, undefined, { user: [' Romeo@EXAMPLE.org/phone '] });
    assert.equal(shown.status, 'completed');
    assert.equal(shown.table[0]?.name, 'a.jpg');
    assert.deepEqual(shown.notes, [['info', `${ROMEO} has 1 file, 100 bytes.`]]);
  });

  test('delete files by links after a look at them', async (t) => {
    const test = await startWithFiles(t);
    const { id } = await test.upload({ name: 'bad.jpg' });
    const helper = test.as(HELPER);
    const link = `${DOWNLOAD_URL}/files/${id}/bad.jpg`;
    const preview = await helper.go(await helper.start('delete-link'), 'next', { links: [link, 'nope'] });
    assert.deepEqual(preview.lines, [`bad.jpg of ${ROMEO}, 100 bytes`]);
    assert.deepEqual(preview.notes, [['warn', 'Not found: nope.']]);
    const end = await helper.go(preview);
    assert.deepEqual(end.notes, [['info', 'Deleted 1 file: bad.jpg.']]);
    assert.equal((await test.services.ledger.findRemoval(id))?.detail, `deleted by ${HELPER}`);
    const again = await helper.go(await helper.start('delete-link'), 'next', { links: [link] });
    assert.match(
      again.notes[0]?.[1] ?? '',
      /\("bad\.jpg"\) was removed before, at .*: deleted by helper@example\.org\./,
    );
  });

  test('forget a user after a warning about its share', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    const admin = test.as(ADMIN);
    const asked = await admin.start('forget-user');
    const unknown = await admin.go(asked, 'next', { user: [JULIET] });
    assert.deepEqual(unknown.notes, [['warn', `No files of ${JULIET} found.`]]);
    const preview = await admin.go(await admin.start('forget-user'), 'next', { user: [ROMEO] });
    assert.match(
      preview.instructions,
      /^This deletes 1 file of romeo@example\.org, .* more than a tenth of all 1 file\./,
    );
    const end = await admin.go(preview, 'complete', { confirm: ['1'] });
    assert.deepEqual(end.notes, [['info', `All data of ${ROMEO} is removed: 1 upload.`]]);
    assert.ok(test.logLines.some((line) => line.includes(`"by":"${ADMIN}"`)));
  });

  test('sweep now', async (t) => {
    const test = await startWithFiles(t, ['a.jpg']);
    test.advance(31 * 24 * 60 * MINUTE);
    const { notes } = await test.as(ADMIN).start('sweep-now');
    assert.deepEqual(notes, [
      ['info', 'Removed 0 unused slots, 1 expired file and 0 files above the soft quota. 100 bytes freed.'],
    ]);
    assert.equal((await test.services.ledger.usage(ROMEO)).uploads, 0);
  });
});
