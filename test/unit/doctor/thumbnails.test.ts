import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { DoctorReport, type Finding } from '../../../src/doctor/report.ts';
import { checkDecoder, checkServedThumbnail } from '../../../src/doctor/thumbnails.ts';
import type { GrantedSlot } from '../../../src/uploads/grant-slot.ts';
import { findDecoderProblem, type Shrinker } from '../../../src/uploads/thumbnails/shrinker.ts';
import { createFakeShrinker } from '../../support/fake-shrinker.ts';

const only = ({ findings }: DoctorReport): Finding => {
  assert.equal(findings.length, 1);
  return findings[0] as Finding;
};

describe('porter doctor with thumbnails', () => {
  test('names the command that installs sharp if it cannot be loaded', async () => {
    const report = new DoctorReport();
    const missing: Shrinker = {
      ...createFakeShrinker(),
      findProblem: async () => "\n  Cannot find package 'sharp'.\n    at load",
    };
    assert.equal(await checkDecoder(report, () => findDecoderProblem(missing)), false);
    const { state, text } = only(report);
    assert.equal(state, 'fail');
    assert.match(text, /Cannot find package 'sharp'\. Run .*: npm install --include=optional sharp;/);
  });

  test('reports nothing yet if sharp can be loaded', async () => {
    const report = new DoctorReport();
    assert.equal(await checkDecoder(report, async () => undefined), true);
    assert.deepEqual(report.findings, []);
  });

  /** Lets a server answer the GET with this status and type, and returns the finding. */
  async function askServer(t: TestContext, status: number, type: string): Promise<Finding> {
    const targets: string[] = [];
    const server = createServer((req, res) => {
      targets.push(`${req.method} ${req.url}`);
      req.resume().on('end', () => {
        res.writeHead(req.method === 'PUT' ? 201 : status, { 'Content-Type': type }).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const report = new DoctorReport();
    const slot = { id: 'a'.repeat(26), token: 'b'.repeat(26), name: 'pixel.png' } as GrantedSlot;
    const target = { baseUrl: `http://127.0.0.1:${port}`, address: undefined, localAddress: undefined };
    await checkServedThumbnail(report, target, { requestSlot: async () => slot });
    assert.deepEqual(targets, [
      `PUT /put/${slot.token}/pixel.png`,
      `GET /files/${slot.id}/pixel.png?thumb=320`,
    ]);
    return only(report);
  }

  for (const [answer, status, type, state, text] of [
    ['a thumbnail', 200, 'image/webp', 'ok', /is served/],
    ['the picture itself', 200, 'image/png', 'fail', /Restart Porter with thumbnails: true/],
    ['not found', 404, 'text/plain', 'fail', /cannot make thumbnails\. Its log has the reason/],
    ['unavailable', 503, 'text/plain', 'fail', /cannot make thumbnails/],
    ['another status', 500, 'text/plain', 'fail', /answered with 500/],
  ] as const) {
    test(`a server that answers ${answer}: ${state}`, async (t) => {
      const finding = await askServer(t, status, type);
      assert.deepEqual([finding.check, finding.state], ['thumbnails', state]);
      assert.match(finding.text, text);
    });
  }
});
