import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { createLog } from '../../../src/base/log.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { openRuntime } from '../../../src/server/runtime.ts';
import { grantSlot, type SlotRequest } from '../../../src/uploads/grant-slot.ts';
import type { UploadServices } from '../../../src/uploads/services.ts';
import { runCommand } from './run-command.ts';

const ROMEO = 'romeo@example.org';
const LIMITS = `
access:
  - jid: '^mercutio@example\\.org$'
    deny: true
  - jid: '@example\\.org$'
    max_file_size: 10 MiB
    max_total_size: 1 KiB
    uploads_per: {period: 1h, uploads: 2}
`;

/** Returns the folder of a config with these access rules, after `work` has used its stores. */
async function prepare(t: TestContext, access: string, work: (services: UploadServices) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'porter-why-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'porter.yml'), `public_url: https://upload.example.org\n${access}`);
  const config = await loadConfig(join(folder, 'porter.yml'), {});
  const runtime = await openRuntime(config, createLog({ level: 'silent', format: 'json' }));
  await work(runtime.services);
  await runtime.close();
  return folder;
}

const request = (services: UploadServices, change: Partial<SlotRequest> = {}) =>
  grantSlot(services, { endpoint: 'component', jid: ROMEO, name: 'a.jpg', size: 100, type: null, ...change });

const why = async (folder: string, ...args: string[]) => await runCommand(folder, ['why', ...args]);

describe('porter why', () => {
  test('begins with "cannot upload now" while a window is full, and names its end', async (t) => {
    const folder = await prepare(t, LIMITS, async (services) => {
      for (let i = 0; i < 2; i += 1) await request(services);
    });
    const { out } = await why(folder, ROMEO);
    assert.match(
      out,
      /^romeo@example\.org cannot upload now: 2 of 2 uploads in the last hour, next (?:on \d+ \w+ )?at \d\d:\d\d UTC, in \d/,
    );
    assert.doesNotMatch(out, /may upload/);
    assert.match(out, /\n {2}200 bytes of 1 KiB in total, less /);
    assert.match(out, /\n {2}at most 10 MiB per file\n/);
    assert.match(
      out,
      /Slots of the last day without a file:\n {2}"a\.jpg", 100 bytes, granted .*: no PUT has come yet/,
    );
  });

  test('says that nothing frees space if only deleting does', async (t) => {
    const rule = "access:\n  - {jid: '@example\\.org$', max_total_size: 100}\nretention: {max_age: never}\n";
    const folder = await prepare(t, rule, async (services) => {
      const slot = await request(services);
      const claim = { token: 'x'.repeat(26), instance: 'test', now: services.clock() };
      const claimed = await services.ledger.claim({ ...claim, by: { locator: slot.id } });
      assert.ok(claimed.outcome === 'claimed');
      const { id, blob } = claimed.upload;
      await services.ledger.commit({ id, blob, token: claim.token, now: claim.now, size: 100 });
    });
    assert.match(
      (await why(folder, ROMEO)).out,
      /^\S+ cannot upload now: 100 bytes of 100 bytes in total, until files are deleted\./,
    );
  });

  test('counts files, and says when there is room for one more', async (t) => {
    const rule = "access:\n  - {jid: '@example\\.org$', max_files: 1}\n";
    const folder = await prepare(t, rule, async (services) => {
      await request(services);
    });
    const { out } = await why(folder, ROMEO);
    assert.match(
      out,
      /^\S+ cannot upload now: 1 of 1 file in total, next (?:on \d+ \w+ )?at \d\d:\d\d UTC, in/,
    );
    const [limit] = JSON.parse((await why(folder, ROMEO, '--json')).out).limits;
    assert.deepEqual([limit.limit, limit.used, limit.allowed], ['ownerFiles', 1, 1]);
  });

  test('begins with "may upload" only if an upload is possible', async (t) => {
    const folder = await prepare(t, LIMITS, async () => undefined);
    assert.match(
      (await why(folder, ROMEO)).out,
      /^romeo@example\.org may upload: access rule 2 \(line 6\) applies\.\n/,
    );
    assert.match(
      (await why(folder, 'mercutio@example.org')).out,
      /^mercutio@example\.org may not upload: access rule 1/,
    );
    assert.match(
      (await why(folder, 'x@elsewhere.example')).out,
      /^x@elsewhere\.example may not upload: no access rule/,
    );
  });

  test('shows the last refusals with code, text and how often', async (t) => {
    const folder = await prepare(t, LIMITS, async ({ refusals }) => {
      const refusal = new Refusal('file_too_large');
      const common = { kind: 'slot', owner: ROMEO, refusal } as const;
      for (let i = 0; i < 3; i += 1)
        refusals.add({ ...common, endpoint: 'component', name: 'b.mp4', size: 5000 });
    });
    const { out } = await why(folder, ROMEO);
    assert.match(
      out,
      /Refused in the last day:\n {2}(?:On|At) .* ago, 3 times: slot of "b\.mp4", 4\.9 KiB at component, file_too_large: The file is too large\./,
    );
    const json = JSON.parse((await why(folder, ROMEO, '--json')).out);
    assert.deepEqual(
      [json.refusals[0].code, json.refusals[0].times, json.refusedNow],
      ['file_too_large', 3, null],
    );
    assert.match(json.refusals[0].lastAt, /^\d{4}-\d\d-\d\dT/, 'JSON has exact times');
  });

  test('LINK tells whether a PUT ever came', async (t) => {
    const links: string[] = [];
    const folder = await prepare(t, LIMITS, async (services) => {
      const open = await request(services);
      const expired = await grantSlot(
        { ...services, clock: () => Date.now() - 3_600_000 },
        { endpoint: 'component', jid: 'juliet@example.org', name: 'b.jpg', size: 1, type: null },
      );
      links.push(
        `https://upload.example.org/files/${open.id}/a.jpg`,
        `https://upload.example.org/put/${expired.token}/b.jpg`,
        expired.id,
      );
    });
    const [open = '', late = '', id = ''] = links;
    assert.match(
      (await why(folder, open)).out,
      /\nSlot granted at .*, no PUT has come yet\.\nThe slot is valid for another /,
    );
    assert.match((await why(folder, late)).out, /\nSlot granted .*, no PUT ever came\.\nThe slot expired /);
    await runCommand(folder, ['cleanup']);
    const removed = (await why(folder, id)).out;
    assert.match(
      removed,
      /\nSlot granted .*, no PUT ever came\.\nIt was removed .* its quota was returned\./,
    );
    assert.match(removed, /could not reach the upload link/);
  });

  test('has words for what is neither link, id nor JID', async (t) => {
    const folder = await prepare(t, "access:\n  - jid: '.*'\n", async () => undefined);
    for (const [target, text] of [
      ['hello', /"hello" is neither a link, nor the id of an upload, nor a JID such as romeo@example\.org/],
      ['two words', /neither a link/],
      ['@@', /neither a link/],
      ['example.org', /example\.org is a domain, .* porter why romeo@example\.org/],
      ['https://upload.example.org/x', /no record of the link/],
      ['0123456789abcdefghjkmnpqrs', /no upload with the id/],
    ] as const) {
      const { code, out, err } = await why(folder, target);
      assert.equal(code, 1, target);
      assert.match(err, text);
      assert.doesNotMatch(out + err, /may upload/);
    }
  });
});
