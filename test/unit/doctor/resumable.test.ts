import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { DoctorReport, type Finding } from '../../../src/doctor/report.ts';
import { checkResumableUploads, reportInterim } from '../../../src/doctor/resumable.ts';
import type { ProbeUploads } from '../../../src/uploads/probe-uploads.ts';
import { startTestFileServer } from '../../support/test-file-server.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Checks a Porter behind a web server. Returns the findings by their names. */
async function check(
  t: TestContext,
  webServer: (porter: Handler) => Handler,
): Promise<Readonly<Record<string, Finding>>> {
  const resumable = { interimResponses: 'always', trustedProxies: () => false } as const;
  const porter = await startTestFileServer(t, { settings: { resumable } });
  const server = createServer(webServer(porter.dataPlane.handle));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const report = new DoctorReport();
  const config = { uploads: { resumable: true, interim_responses: 'always' } };
  const target = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    address: undefined,
    localAddress: undefined,
  };
  const probeUploads = { requestSlot: (file: object) => porter.requestSlot(file) } as ProbeUploads;
  await checkResumableUploads(report, config as never, target, probeUploads, true);
  return Object.fromEntries(report.findings.map((finding) => [finding.check, finding]));
}

const UPLOADS = 'resumable uploads';
const INTERIM = 'interim responses';

describe('the check of resumable uploads', () => {
  test('finds nothing wrong with a web server that forwards everything', async (t) => {
    const found = await check(t, (porter) => porter);
    assert.deepEqual([found[UPLOADS]?.state, found[INTERIM]?.state], ['ok', 'ok']);
    assert.match(found[INTERIM]?.text ?? '', /Clients get 104/);
  });

  const mistakes: Readonly<Record<string, [Handler, RegExp]>> = {
    'a method that is refused': [
      (request, response) => {
        if (request.method === 'PATCH') response.writeHead(403).end();
      },
      /A PATCH .* answered with 403/,
    ],
    'request headers that are removed': [
      (request) => {
        delete request.headers['upload-complete'];
      },
      /A PUT .* answered with 400.*forward .* Upload-Complete/,
    ],
    'a query that is removed': [
      (request) => {
        request.url = request.url?.split('?')[0];
      },
      /A PATCH .* answered with 405.*forward the query/,
    ],
    'answers without their headers': [
      (_request, response) => {
        const { writeHead } = response;
        response.writeHead = ((status: number) => writeHead.call(response, status)) as typeof writeHead;
      },
      /removes Location or Upload-Offset/,
    ],
  };
  for (const [name, [change, text]] of Object.entries(mistakes)) {
    test(`reports ${name}`, async (t) => {
      const found = await check(t, (porter) => (request, response) => {
        change(request, response);
        if (!response.writableEnded) porter(request, response);
      });
      assert.equal(found[UPLOADS]?.state, 'fail');
      assert.match(found[UPLOADS]?.text ?? '', text);
    });
  }

  test('reports a web server that ends the answer with 104', async (t) => {
    const found = await check(t, (porter) => (request, response) => {
      const { writeInformation } = response;
      response.writeInformation = ((status: number, headers: Record<string, string>) => {
        writeInformation.call(response, status, { ...headers, Connection: 'close', Date: 'now' } as never);
      }) as typeof writeInformation;
      porter(request, response);
    });
    assert.equal(found[UPLOADS], undefined, 'it would fail for the same reason');
    assert.equal(found[INTERIM]?.state, 'fail');
    assert.match(found[INTERIM]?.text ?? '', /Set uploads\.interim_responses: auto/);
  });

  test('says how to set uploads.interim_responses', () => {
    const advise = (facts: Parameters<typeof reportInterim>[1]) => {
      const report = new DoctorReport();
      reportInterim(report, facts);
      const [{ state, text } = { state: 'skip', text: '' }] = report.findings;
      return `${state}: ${text}`;
    };
    const auto = { setting: 'auto' } as const;
    assert.match(
      advise({ ...auto, passage: 'passes', sendsInterim: false }),
      /^ok: .*interim_responses: always/,
    );
    assert.match(advise({ ...auto, passage: 'dropped', sendsInterim: false }), /^ok: .*drops 104/);
    assert.match(
      advise({ ...auto, passage: 'taken_as_final', sendsInterim: false }),
      /^ok: .*does not send it/,
    );
    assert.match(
      advise({ ...auto, passage: 'taken_as_final', sendsInterim: true }),
      /^fail: .*trusted_proxies/,
    );
  });
});
