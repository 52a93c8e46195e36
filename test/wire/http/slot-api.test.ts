import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { createAddressMatcher } from '../../../src/base/addresses.ts';
import { toPutKey } from '../../../src/base/ids.ts';
import { HttpServer } from '../../../src/http/listener/http-server.ts';
import { createRouter } from '../../../src/http/listener/router.ts';
import { type SlotApiSettings, slotApiEndpoint } from '../../../src/http/slots/slot-api.ts';
import type { Reservation, ReserveResult } from '../../../src/ledger/contract/ledger.ts';
import type { AccessRule } from '../../../src/policy/access.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import type { RefusedRequest } from '../../../src/uploads/refusals/refusal-log.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { sendRequest, type TestRequest } from '../../support/http.ts';

const LOOPBACK = createAddressMatcher(['127.0.0.0/8', '::1']);
const BASE = 'https://upload.example.org';
const RULES: readonly AccessRule[] = [
  { ...allowAllRule, jid: ['^admin@example\\.org$'] },
  { ...allowAllRule, jid: ['@example\\.org$'], max_file_size: 1000, allowed_types: ['image/*'] },
  { ...allowAllRule, jid: ['.*'], deny: true },
];

/** A request of ejabberd 23.01 (docs/protocols.md, "Slot API of ejabberd and django"). */
const EJABBERD =
  'jid=admin%40example.org&name=tr%C3%A8s%20cool%2B1%262.jpg&size=23456&content_type=image/svg%2Bxml%3B%20charset%3Dutf-8';

interface Started {
  ask(path: string, options?: TestRequest): ReturnType<typeof sendRequest>;
  readonly reserved: Reservation[];
  readonly refusals: readonly RefusedRequest[];
  readonly port: number;
}

async function start(
  t: { after: TestContext['after'] },
  settings: Partial<SlotApiSettings> = {},
  outcome?: (reservation: Reservation) => ReserveResult,
): Promise<Started> {
  const { deps, reserved, refusals } = createGrantingServices(uploadRules(RULES), outcome);
  const current: SlotApiSettings = {
    allowFrom: LOOPBACK,
    trustedProxies: LOOPBACK,
    linkBasesFor: () => ({ putBase: BASE, getBase: BASE }),
    ...settings,
  };
  const app = await createRouter(deps, [slotApiEndpoint({ ...deps, settings: () => current }, '/slot/')]);
  const nothing = { owns: () => false, handle: () => undefined, handleContinue: () => undefined };
  const server = new HttpServer(
    { log: deps.log, dataPlane: nothing, route: app.routing },
    { listen: [{ host: '127.0.0.1', port: 0 }], baseUrls: [BASE] },
  );
  await server.start();
  t.after(async () => {
    await server.stop({ graceMs: 0 });
    await app.close();
  });
  const [address] = server.addresses;
  const port = address !== undefined && 'port' in address ? address.port : 0;
  return {
    ask: (path, options) => sendRequest({ host: '127.0.0.1', port }, path, options),
    reserved,
    refusals,
    port,
  };
}

describe('a slot over HTTP', () => {
  test('is two URLs with one line feed between them, as ejabberd expects', async (t) => {
    const { ask, reserved } = await start(t);
    const reply = await ask(`/slot/?${EJABBERD}`);
    assert.equal(reply.status, 200);
    assert.match(reply.headers['content-type'] ?? '', /^text\/plain/);
    assert.equal(reply.headers['content-length'], String(reply.text.length));
    assert.equal(reply.headers['transfer-encoding'], undefined);
    const [put = '', get = '', ...rest] = reply.text.split('\n');
    assert.deepEqual(rest, []);
    assert.match(put, /^https:\/\/upload\.example\.org\/put\/[0-9a-z]{26}\/tres_cool_1_2\.jpg$/);
    assert.match(get, /^https:\/\/upload\.example\.org\/files\/[0-9a-z]{26}\/tres_cool_1_2\.jpg$/);
    const [slot] = reserved;
    assert.ok(slot);
    const { owner, name, size, type, endpoint } = slot.upload;
    assert.deepEqual(
      { owner, name, size, type, endpoint },
      {
        owner: 'admin@example.org',
        name: 'très cool+1&2.jpg',
        size: 23456,
        type: 'image/svg+xml; charset=utf-8',
        endpoint: 'slot_api',
      },
    );
  });

  test('has a GET link that does not reveal the upload link', async (t) => {
    const { ask, reserved } = await start(t);
    const { text } = await ask(`/slot/?${EJABBERD}`);
    const [put = '', get = ''] = text.split('\n').map((url) => url.split('/')[4]);
    assert.notEqual(put, get);
    assert.equal(reserved[0]?.putKey, toPutKey(put));
    assert.equal(reserved[0]?.upload.locator, get);
  });

  test('works with and without a trailing slash, as JSON and XML, by parameter or Accept', async (t) => {
    const { ask } = await start(t);
    const query = 'jid=admin@example.org&name=a.jpg&size=5';
    const url = '(https://upload\\.example\\.org/[^"\']+)';
    for (const [path, accept, type, form] of [
      [
        `/slot/?${query}&output=application/json`,
        undefined,
        'application/json',
        `^{"put":"${url}","get":"${url}"}$`,
      ],
      [`/slot?${query}`, 'application/json', 'application/json', `^{"put":"${url}","get":"${url}"}$`],
      [
        `/slot?${query}&output=application/xml`,
        undefined,
        'application/xml',
        `^<slot xmlns='urn:xmpp:http:upload:0'><put url='${url}'/><get url='${url}'/></slot>$`,
      ],
      [`/slot/?${query}&output=text/plain`, 'application/json', 'text/plain', `^${url}\n${url}$`],
    ] as const) {
      const reply = await ask(path, { headers: accept === undefined ? {} : { accept } });
      assert.equal(reply.status, 200, path);
      assert.ok(reply.headers['content-type']?.startsWith(type), path);
      assert.equal(reply.headers['content-length'], String(Buffer.byteLength(reply.text)));
      assert.match(reply.text, new RegExp(form));
    }
  });

  test('can be requested by POST: form, JSON, or a query without a body', async (t) => {
    const { ask, reserved } = await start(t);
    const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const json = { 'content-type': 'application/json' };
    const calls: readonly [string, TestRequest][] = [
      ['/slot/', { headers: form, body: 'jid=admin%40example.org&name=tr%C3%A8s+cool.jpg&size=5&type=a/b' }],
      [
        '/slot',
        { headers: json, body: '{"jid":"admin@example.org","name":"très cool.jpg","size":5,"type":"a/b"}' },
      ],
      [
        '/slot/',
        { headers: json, body: '{"jid":"admin@example.org","name":"très cool.jpg","size":"5","type":"a/b"}' },
      ],
      ['/slot/?jid=admin@example.org&name=tr%C3%A8s%20cool.jpg&size=5&type=a/b', {}],
      [
        '/slot/?jid=x&size=9&type=a/b',
        { headers: form, body: 'jid=admin@example.org&name=très cool.jpg&size=5' },
      ],
    ];
    for (const [path, options] of calls) {
      const reply = await ask(path, { method: 'POST', ...options });
      assert.equal(reply.status, 200, reply.text);
    }
    const { length } = reserved;
    assert.equal(length, calls.length);
    for (const { upload } of reserved) {
      assert.deepEqual([upload.name, upload.size, upload.type], ['très cool.jpg', 5, 'a/b']);
    }
  });

  test('has a GET link at download_url if that is set', async (t) => {
    const { ask } = await start(t, {
      linkBasesFor: () => ({ putBase: BASE, getBase: 'https://files.example.org/f' }),
    });
    const { text } = await ask('/slot/?jid=admin@example.org&name=a.jpg&size=5');
    assert.match(
      text,
      /^https:\/\/upload\.example\.org\/put\/.*\nhttps:\/\/files\.example\.org\/f\/files\/.*$/,
    );
  });

  test("has the base URLs of the user's domain", async (t) => {
    const { ask } = await start(t, {
      linkBasesFor: (owner) =>
        owner === 'admin@example.org'
          ? { putBase: 'https://up.verona.example', getBase: 'https://dl.verona.example' }
          : { putBase: BASE, getBase: BASE },
    });
    const { text } = await ask('/slot/?jid=admin@example.org/phone&name=a.jpg&size=5');
    assert.match(text, /^https:\/\/up\.verona\.example\/put\/.*\nhttps:\/\/dl\.verona\.example\/files\/.*$/);
  });

  test('has the host of the request if public_url is not set, also behind a proxy', async (t) => {
    const { ask, port } = await start(t, { linkBasesFor: () => ({ putBase: null, getBase: null }) });
    const query = '/slot/?jid=admin@example.org&name=a.jpg&size=5';
    const direct = await ask(query);
    assert.ok(direct.text.startsWith(`http://127.0.0.1:${port}/put/`), direct.text);
    const headers = {
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'Up.Example.Org',
      'x-forwarded-for': '127.0.0.9',
    };
    const proxied = await ask(query, { headers });
    assert.match(proxied.text, /^https:\/\/up\.example\.org\/put\//);
    const odd = await ask(query, { headers: { host: 'a b"' } });
    assert.equal(odd.status, 400);
    assert.match(odd.text, /set public_url/);
  });

  test('has URLs that stay the same when encoded again, whatever the name', async (t) => {
    const { ask } = await start(t);
    const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(names, fc.nat({ max: 1e12 }), async (name, size) => {
        const query = new URLSearchParams({ jid: 'admin@example.org', name, size: String(size) });
        const reply = await ask(`/slot/?${query}`);
        if (reply.status === 200) {
          for (const url of reply.text.split('\n')) assert.match(url, /^https:\/\/[A-Za-z0-9_.\-/:]+$/);
          assert.equal(reply.text.split('\n').length, 2);
        } else {
          assert.equal(reply.status, 400, `${reply.status} for ${JSON.stringify(name)}`);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the size a user may upload', () => {
  test('is the max_file_size of the rule, 0 for no limit', async (t) => {
    const { ask } = await start(t);
    for (const [path, body] of [
      ['/slot/max_size/?jid=romeo@example.org', '1000'],
      ['/slot/max_size?jid=romeo@example.org&output=application/json', '{"max_size":1000}'],
      ['/slot/max_size/?jid=admin@example.org', '0'],
      [
        '/slot/max_size/?jid=admin@example.org&output=application/xml',
        "<max-file-size xmlns='urn:xmpp:http:upload:0'>0</max-file-size>",
      ],
    ] as const) {
      const reply = await ask(path);
      assert.deepEqual([reply.status, reply.text], [200, body]);
      assert.equal(reply.headers['content-length'], String(body.length));
    }
    assert.equal((await ask('/slot/max_size/')).status, 400);
    assert.equal((await ask('/slot/max_size/?jid=mallory@evil.example')).status, 403);
  });
});

describe('a refused slot', () => {
  const RETRY = {
    granted: false,
    limit: 'uploadsPer',
    used: 3,
    allowed: 3,
    retryAt: Date.now() + 60_000,
  } as const;
  const FOREVER = { granted: false, limit: 'ownerBytes', used: 9, allowed: 9, retryAt: null } as const;
  const romeo = 'jid=romeo@example.org&type=image/png';

  test('names the wrong parameter and the reason', async (t) => {
    const { ask, reserved } = await start(t);
    for (const [query, message] of [
      ['', /"jid" is missing/],
      ['name=a.jpg&size=5', /"jid" is missing/],
      [`${romeo}&size=5`, /"name" is missing/],
      [`${romeo}&name=&size=5`, /"name" is empty/],
      [`${romeo}&name=a.jpg`, /"size" is missing/],
      [`${romeo}&name=a.jpg&size=`, /"size" is empty/],
      [`${romeo}&name=a.jpg&size=0`, /"size" is not accepted\. Empty files cannot be sent\./],
      [`${romeo}&name=a.jpg&size=-5`, /"size" is not accepted\. The size cannot be negative/],
      [`${romeo}&name=a.jpg&size=5.5`, /"size" .* without decimals/],
      [`${romeo}&name=a.jpg&size=9007199254740992`, /"size" .* at most 9007199254740991 bytes/],
      [`${romeo}&name=a.jpg&size=ten`, /"size" .* in digits/],
      [`${romeo}&name=a.jpg&size=5&output=text/html`, /"output" must be one of text\/plain/],
      ['jid=@&name=a.jpg&size=5', /JID/],
      ['jid=romeo@example.org&name=a.jpg&size=5&type=nonsense', /type\/subtype/],
    ] as const) {
      const reply = await ask(`/slot/?${query}`);
      assert.equal(reply.status, 400, query);
      assert.match(reply.text, message);
      assert.equal(reply.headers['content-length'], String(Buffer.byteLength(reply.text)));
      assert.doesNotMatch(reply.text.trimEnd(), /\n/);
    }
    assert.deepEqual(reserved, []);
  });

  test('is 403 for denied users, 413 for large files, 402 for quotas', async (t) => {
    let outcome: ReserveResult = RETRY;
    const { ask } = await start(t, {}, () => outcome);
    const status = async (query: string) => (await ask(`/slot/?${query}`)).status;
    assert.equal(await status('jid=mallory@evil.example&name=a.jpg&size=5'), 403);
    assert.equal(await status('jid=romeo@example.org&name=a.pdf&size=5&type=application/pdf'), 403);
    assert.equal(await status(`${romeo}&name=a.jpg&size=1001`), 413);
    const waits = await ask(`/slot/?${romeo}&name=a.jpg&size=1000`);
    assert.equal(waits.status, 402);
    assert.ok(Number(waits.headers['retry-after']) > 0 && Number(waits.headers['retry-after']) <= 60);
    outcome = FOREVER;
    const full = await ask(`/slot/?${romeo}&name=a.jpg&size=1000`);
    assert.equal(full.status, 402);
    assert.equal(full.headers['retry-after'], undefined);
  });

  test('is problem+json if the client accepts JSON', async (t) => {
    const { ask } = await start(t);
    const reply = await ask('/slot/?jid=mallory@evil.example&name=a.jpg&size=5', {
      headers: { accept: 'application/json' },
    });
    assert.match(reply.headers['content-type'] ?? '', /^application\/problem\+json/);
    assert.equal(JSON.parse(reply.text).status, 403);
  });

  test('is 400 for a body that is neither a form nor a JSON object', async (t) => {
    const { ask } = await start(t);
    for (const [type, body] of [
      ['application/json', '{'],
      ['application/json', ''],
      ['application/json', '[1]'],
      ['application/json', '"jid"'],
      ['application/json', '{"jid":"admin@example.org","name":"a","size":1,"__proto__":{"x":1}}'],
      ['application/json', '{"jid":["a",2],"name":{},"size":[]}'],
      ['text/plain', 'jid=admin@example.org'],
      ['multipart/form-data; boundary=x', '--x--'],
    ] as const) {
      const reply = await ask('/slot/', { method: 'POST', headers: { 'content-type': type }, body });
      assert.equal(reply.status, 400, `${type} ${body.slice(0, 40)}`);
      assert.ok(reply.text.length > 10);
    }
  });

  test('is 413 for a body above 16 KiB', async (t) => {
    const { ask } = await start(t);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const reply = await ask('/slot/', { method: 'POST', headers, body: `name=${'x'.repeat(20_000)}` });
    assert.equal(reply.status, 413);
  });

  test('is 405 with Allow for other methods', async (t) => {
    const { ask } = await start(t);
    for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const reply = await ask(`/slot/?${EJABBERD}`, { method });
      assert.equal(reply.status, 405, method);
      assert.equal(reply.headers.allow, 'GET, POST');
    }
  });

  test('has an empty body for an unknown path', async (t) => {
    const { ask } = await start(t);
    const reply = await ask('/nothing/here');
    assert.deepEqual([reply.status, reply.text, reply.headers['content-length']], [404, '', '0']);
    assert.equal((await ask('/slot/sometoken/?jid=a')).status, 404, 'no token is set');
  });

  test('after an internal error shows only the id in the log', async (t) => {
    const { ask } = await start(t, {}, () => {
      throw new Error('no such table in /var/lib/porter.db');
    });
    const reply = await ask('/slot/?jid=admin@example.org&name=a.jpg&size=5');
    assert.equal(reply.status, 500);
    assert.doesNotMatch(reply.text, /table|var/);
  });
});

describe('access to the slot API', () => {
  const path = '?jid=admin@example.org&name=a.jpg&size=5';

  test('depends on the client, not on the proxy in front', async (t) => {
    const { ask } = await start(t);
    const from = async (address: string) =>
      (await ask(`/slot/${path}`, { headers: { 'x-forwarded-for': address } })).status;
    assert.equal(await from('127.0.0.5'), 200);
    assert.equal(await from('192.0.2.66'), 403);
    assert.equal(await from('127.0.0.1, 192.0.2.66'), 403);
    assert.equal(await from('nonsense'), 403);
  });

  test('does not depend on headers of untrusted clients', async (t) => {
    const noAddress = createAddressMatcher([]);
    const { ask } = await start(t, {
      allowFrom: createAddressMatcher(['10.0.0.0/8']),
      trustedProxies: noAddress,
    });
    const reply = await ask(`/slot/${path}`, { headers: { 'x-forwarded-for': '10.0.0.1' } });
    assert.equal(reply.status, 403);
    assert.match(reply.text, /127\.0\.0\.1 .*allow_from/);
  });

  test('needs the token if one is set, in the path or as Bearer, also from loopback', async (t) => {
    const { ask } = await start(t, { token: 's3cret-Token' });
    const bearer = (token: string) => ({ headers: { authorization: token } });
    const max = '?jid=admin@example.org';
    for (const [url, options, status] of [
      [`/slot/${path}`, {}, 403],
      [`/slot/s3cret-Token/${path}`, {}, 200],
      [`/slot/s3cret-Token${path}`, {}, 200],
      [`/slot/wrong/${path}`, {}, 403],
      [`/slot/s3cret-token/${path}`, {}, 403],
      [`/slot/${path}`, bearer('Bearer s3cret-Token'), 200],
      [`/slot/${path}`, bearer('bearer  s3cret-Token'), 200],
      [`/slot/${path}`, bearer('Bearer wrong'), 403],
      [`/slot/${path}`, bearer('Basic s3cret-Token'), 403],
      [`/slot/wrong/${path}`, bearer('Bearer s3cret-Token'), 403],
      [`/slot/max_size/${max}`, {}, 403],
      [`/slot/s3cret-Token/max_size/${max}`, {}, 200],
      [`/slot/max_size/${max}`, bearer('Bearer s3cret-Token'), 200],
    ] as const) {
      const reply = await ask(url, options);
      assert.equal(reply.status, status, `${url} ${JSON.stringify(options)}`);
      assert.doesNotMatch(reply.text, /s3cret/);
    }
  });

  test('needs both, the token and an address from the list', async (t) => {
    const { ask } = await start(t, { token: 's3cret', allowFrom: createAddressMatcher(['192.0.2.0/24']) });
    assert.equal((await ask(`/slot/s3cret/${path}`)).status, 403);
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    assert.equal((await ask(`/slot/s3cret/${path}`, { headers })).status, 200);
  });
});

describe('a refused slot over HTTP', () => {
  test('is reported once, with JID, file, code and client', async (t) => {
    const { ask, refusals } = await start(t);
    await ask('/slot/?jid=Romeo@example.org/garden&name=a.jpg&size=5000&content_type=image/jpeg');
    await ask('/slot/?jid=romeo@example.org&name=a.jpg&size=nothing');
    assert.deepEqual(
      refusals.map(({ kind, endpoint, refusal, owner, name, client }) => [
        kind,
        endpoint,
        refusal.code,
        owner,
        name,
        client,
      ]),
      [
        ['slot', 'slot_api', 'file_too_large', 'romeo@example.org', 'a.jpg', '127.0.0.1'],
        ['slot', 'slot_api', 'bad_request', 'romeo@example.org', 'a.jpg', '127.0.0.1'],
      ],
    );
  });

  test('is not held against a JID that an unauthorized client names', async (t) => {
    const { ask, refusals } = await start(t, { token: 'secret' });
    assert.equal((await ask('/slot/?jid=romeo@example.org&name=a.jpg&size=5')).status, 403);
    const [refused, ...more] = refusals;
    assert.deepEqual(more, []);
    assert.deepEqual([refused?.owner, refused?.claimedJid], [undefined, 'romeo@example.org']);
  });
});

test('the links of a slot over HTTP are ASCII, or have the real name with names: utf8', async (t) => {
  const query = `jid=admin@example.org&size=5&name=${encodeURIComponent('/sdcard/Отчёт (1).pdf')}`;
  const ascii = await start(t);
  assert.match((await ascii.ask(`/slot/?${query}`)).text, /^[A-Za-z0-9_./:\n-]+\/1\.pdf$/);
  const utf8 = await start(t, { names: 'utf8' });
  const [put = '', get = ''] = (await utf8.ask(`/slot/?${query}`)).text.split('\n');
  for (const link of [put, get])
    assert.ok(link.endsWith(`/${encodeURIComponent('Отчёт ')}%281%29.pdf`), link);
  assert.equal(utf8.reserved[0]?.upload.name, 'Отчёт (1).pdf');
  assert.equal((await ascii.ask('/slot/?jid=admin@example.org&size=5&name=%20')).status, 200);
});
