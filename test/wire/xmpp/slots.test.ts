import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { ReserveResult } from '../../../src/ledger/contract/ledger.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import { cleanFileName } from '../../../src/policy/file-names.ts';
import type { FakeComponentStream } from '../../support/fake-component-server.ts';
import { uploadRules } from '../../support/granting-services.ts';
import {
  DOWNLOAD_URL,
  iq,
  JID,
  PUBLIC_URL,
  slotRequest,
  startTestComponent,
  type TestComponent,
  withTestComponent,
} from '../../support/test-component.ts';

const UPLOAD = 'urn:xmpp:http:upload:0';
const LEGACY = 'urn:xmpp:http:upload';
const PURPOSE = 'urn:xmpp:http:upload:purpose:0';
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
const HOUR = 3_600_000;
/** A user without limits. */
const UNLIMITED_USER = 'x@far.example/r';
const NOW = Date.UTC(2026, 5, 1, 12);

const PUT = new RegExp(`^${PUBLIC_URL}/put/[0-9a-z]{26}/tr%C3%A8s%20cool\\.jpg$`);
const GET = new RegExp(`^${DOWNLOAD_URL}/files/[0-9a-z]{26}/tr%C3%A8s%20cool\\.jpg$`);

const rules = uploadRules(
  [
    { ...allowAllRule, jid: ['@montague\\.tld$'], max_file_size: 20_000, allowed_types: ['image/*'] },
    { ...allowAllRule, jid: ['^gateway\\.example$', '@gateway\\.example$', '@far\\.example$'] },
  ],
  {
    retention: {
      max_age: 30 * 24 * HOUR,
      soft_quota: 0,
      purposes: { profile: { max_age: null }, ephemeral: { max_age: 7 * 24 * HOUR } },
      name_prefixes: { story_: 'ephemeral' },
    },
  },
);

/** Returns the serialized error of an answer. */
function errorIn(stanza: string): string {
  return /<error .*<\/error>/.exec(stanza)?.[0] ?? stanza;
}

const error = (type: string, condition: string, text: string, detail = '') =>
  `<error type="${type}"><${condition} xmlns="${STANZAS}"/>` +
  `<text xmlns="${STANZAS}" xml:lang="en">${text}</text>${detail}</error>`;

describe('a slot request', () => {
  let component: TestComponent;
  let server: FakeComponentStream;
  let outcome: ReserveResult = { granted: true };
  before(async () => {
    component = await startTestComponent({ rules, onReserve: () => outcome, now: NOW });
    server = await component.server.nextStream();
  });
  after(() => component.stop());

  const ask = async (stanza: string) => (await server.request(stanza)).toString();
  const last = () => component.reservations.at(-1)?.upload;

  test('is answered with two URLs in the form of XEP-0363, without headers', async () => {
    const answer = await server.request(
      iq(slotRequest("filename='très cool.jpg' size='20000' content-type='image/jpeg'")),
    );
    const slot = answer.getChild('slot', UPLOAD);
    assert.deepEqual(
      { ...answer.attrs, type: answer.attrs.type },
      { type: 'result', from: 'upload.montague.tld', to: 'romeo@montague.tld/garden', id: 'step_03' },
    );
    assert.match(slot?.getChild('put')?.attrs.url ?? '', PUT);
    assert.match(slot?.getChild('get')?.attrs.url ?? '', GET);
    assert.deepEqual(
      slot?.getChildElements().map((child) => [child.name, child.children.length]),
      [
        ['put', 0],
        ['get', 0],
      ],
    );
    assert.equal(last()?.owner, 'romeo@montague.tld');
    assert.equal(last()?.name, 'très cool.jpg');
    assert.equal(last()?.size, 20_000);
    assert.equal(last()?.type, 'image/jpeg');
    assert.equal(last()?.endpoint, 'component');
  });

  test('is answered to its address and id, whatever characters they have', async () => {
    const attributes = `from='r@montague.tld/&quot;&lt;&amp;&apos;>' id='"&lt;&amp;&gt;&apos;' to='${JID}' type='get'`;
    const answer = await server.request(
      `<iq ${attributes}>${slotRequest("filename='a.png' size='7' content-type='image/png'")}</iq>`,
    );
    assert.ok(answer.getChild('slot', UPLOAD));
    assert.equal(answer.attrs.to, `r@montague.tld/"<&'>`);
    assert.equal(answer.attrs.id, `"<&>'`);
  });

  test('in the old namespace is answered in that namespace, with the URLs as text', async () => {
    const children =
      '<filename>my_juliet.png</filename><size>20000</size><content-type>image/png</content-type>';
    const answer = await server.request(iq(slotRequest('', children, LEGACY)));
    const slot = answer.getChild('slot', LEGACY);
    assert.match(slot?.getChild('put')?.getText() ?? '', /\/put\/[0-9a-z]{26}\/my_juliet\.png$/);
    assert.match(slot?.getChild('get')?.getText() ?? '', /\/files\/[0-9a-z]{26}\/my_juliet\.png$/);
    assert.deepEqual(slot?.getChild('put')?.attrs, {});
  });

  test('may have each field as attribute or child element, in either namespace', async () => {
    const asAttribute = {
      filename: "filename='a.png'",
      size: "size='7'",
      'content-type': "content-type='image/png'",
    };
    const asChild = {
      filename: '<filename>a.png</filename>',
      size: '<size> 7\n</size>',
      'content-type': '<content-type>image/png</content-type>',
    };
    const fields = ['filename', 'size', 'content-type'] as const;
    for (const ns of [UPLOAD, LEGACY]) {
      for (let mix = 0; mix < 8; mix += 1) {
        const isChild = (index: number) => (mix & (1 << index)) !== 0;
        const attributes = fields.filter((_, i) => !isChild(i)).map((name) => asAttribute[name]);
        const children = fields.filter((_, i) => isChild(i)).map((name) => asChild[name]);
        const answer = await server.request(iq(slotRequest(attributes.join(' '), children.join(''), ns)));
        assert.ok(answer.getChild('slot', ns), answer.toString());
        assert.deepEqual([last()?.name, last()?.size, last()?.type], ['a.png', 7, 'image/png']);
      }
    }
  });

  test('without a content type is treated as application/octet-stream', async () => {
    await server.request(iq(slotRequest("filename='a' size='1' content-type=''"), { from: UNLIMITED_USER }));
    assert.equal(last()?.type, 'application/octet-stream');
    await server.request(iq(slotRequest("filename='a' size='1'"), { from: UNLIMITED_USER }));
    assert.equal(last()?.type, 'application/octet-stream');
  });

  test('keeps every file name intact, however TCP splits its bytes', async () => {
    const names = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((name) => {
      return cleanFileName(name) === name && !/[\p{Cc}\p{Cn}\uFFFE\uFFFF]/u.test(name);
    });
    const escaped = (text: string) => text.replace(/[&<>'"]/g, (char) => `&#${char.charCodeAt(0)};`);
    await fc.assert(
      fc.asyncProperty(names, fc.nat(), fc.boolean(), async (name, cut, child) => {
        const parts = child
          ? slotRequest("size='7'", `<filename>${escaped(name)}</filename>`)
          : slotRequest(`filename='${escaped(name)}' size='7'`);
        const bytes = Buffer.from(iq(parts, { from: UNLIMITED_USER }));
        const at = cut % bytes.length;
        server.write(bytes.subarray(0, at));
        await new Promise(setImmediate);
        server.write(bytes.subarray(at));
        assert.equal((await server.nextStanza()).attrs.type, 'result');
        assert.equal(last()?.name, name);
      }),
      { numRuns: 150 },
    );
  });

  test('keeps a file name intact if a TCP chunk ends inside a character', async () => {
    const bytes = Buffer.from(iq(slotRequest("filename='日本語 😀.pdf' size='7'"), { from: UNLIMITED_USER }));
    const middle = bytes.indexOf('😀') + 2;
    server.write(bytes.subarray(0, middle));
    // Long enough for the first half to arrive alone.
    await new Promise((resolve) => setTimeout(resolve, 30));
    server.write(bytes.subarray(middle));
    await server.nextStanza();
    assert.equal(last()?.name, '日本語 😀.pdf');
  });

  test('is granted to gateways, their users and users of other servers if a rule allows them', async () => {
    for (const from of ['gateway.example', '+49123@gateway.example/x', 'someone@far.example/phone']) {
      const answer = await server.request(iq(slotRequest("filename='a.bin' size='5'"), { from }));
      assert.equal(answer.attrs.type, 'result', answer.toString());
      assert.equal(last()?.owner, from.split('/')[0]);
      assert.equal(answer.attrs.to, from);
    }
  });

  test('is repeated beside the error if it is refused', async () => {
    const answer = await ask(iq(slotRequest("filename='a.jpg' size='20001' content-type='image/jpeg'")));
    assert.equal(
      answer,
      `<iq type="error" from="upload.montague.tld" to="romeo@montague.tld/garden" id="step_03">` +
        `<request xmlns="${UPLOAD}" filename="a.jpg" size="20001" content-type="image/jpeg"/>` +
        error(
          'modify',
          'not-acceptable',
          'The file is too large: 19.5 KiB. The maximum file size is 20000 bytes (19.5 KiB).',
          `<file-too-large xmlns="${UPLOAD}"><max-file-size>20000</max-file-size></file-too-large>`,
        ) +
        '</iq>',
    );
  });

  test('in the old namespace gets its limits in that namespace', async () => {
    const children = '<filename>a.jpg</filename><size>20001</size>';
    const answer = await ask(iq(slotRequest('', children, LEGACY)));
    assert.match(
      answer,
      new RegExp(`<file-too-large xmlns="${LEGACY}"><max-file-size>20000</max-file-size>`),
    );
    assert.ok(answer.includes(`<request xmlns="${LEGACY}">${children}</request>`));
  });

  test('over a quota is answered with usage, limit and the time to retry', async () => {
    outcome = { granted: false, limit: 'ownerBytes', used: 900, allowed: 1000, retryAt: NOW + 2 * HOUR };
    const request = slotRequest("filename='a.jpg' size='200' content-type='image/jpeg'");
    assert.equal(
      errorIn(await ask(iq(request))),
      error(
        'wait',
        'resource-constraint',
        'Your storage is full: 900 bytes of 1000 bytes used, this file needs 200 bytes. ' +
          'There is room again at 14:00 UTC, in 2 hours.',
        `<retry xmlns="${UPLOAD}" stamp="2026-06-01T14:00:00Z"/>`,
      ),
    );
    const legacy = await ask(iq(request.replace(UPLOAD, LEGACY)));
    assert.ok(legacy.includes(`<retry xmlns="${LEGACY}" stamp="2026-06-01T14:00:00Z"/>`));
    outcome = { ...outcome, limit: 'globalBytes', retryAt: null };
    assert.equal(
      errorIn(await ask(iq(request))),
      error(
        'wait',
        'resource-constraint',
        'This upload service is full: this file needs 200 bytes. Waiting does not help: delete some files.',
      ),
    );
    outcome = { granted: true };
  });

  const refusals: readonly (readonly [string, string, string])[] = [
    [
      'whose size is 0',
      slotRequest("filename='a.jpg' size='0'"),
      error('modify', 'bad-request', 'Empty files cannot be sent.'),
    ],
    [
      'whose size is negative',
      slotRequest("filename='a.jpg' size='-1'"),
      error('modify', 'bad-request', 'The size cannot be negative.'),
    ],
    [
      'whose size has decimals',
      slotRequest("filename='a.jpg' size='1.5'"),
      error('modify', 'bad-request', 'The size must be a whole number of bytes, without decimals.'),
    ],
    ...['1e3', '0x10', '+7', '٣', ''].map(
      (size) =>
        [
          `whose size is "${size}"`,
          slotRequest(`filename='a.jpg' size='${size}'`),
          error('modify', 'bad-request', 'The size must be a whole number of bytes, in digits.'),
        ] as const,
    ),
    [
      'whose size exceeds the safe integers',
      slotRequest("filename='a.jpg' size='9007199254740993'"),
      error('modify', 'bad-request', 'The size is too large: a file has at most 9007199254740991 bytes.'),
    ],
    [
      'without a size',
      slotRequest("filename='a.jpg'"),
      error('modify', 'bad-request', 'The slot request has no size.'),
    ],
    [
      'without a name',
      slotRequest("size='1'"),
      error('modify', 'bad-request', 'The slot request has no filename.'),
    ],
    [
      'whose content type is malformed',
      slotRequest("filename='a' size='1' content-type='picture'"),
      error('modify', 'bad-request', 'The content type is not of the form type/subtype.'),
    ],
    [
      'for a purpose that is not offered',
      slotRequest("filename='a.jpg' size='1'", `<permanent xmlns='${PURPOSE}'/>`),
      error('cancel', 'feature-not-implemented', 'Uploads for the purpose "permanent" are not offered here.'),
    ],
    [
      'for a purpose named like a property of JavaScript objects',
      slotRequest("filename='a.jpg' size='1'", `<toString xmlns='${PURPOSE}'/>`),
      error('cancel', 'feature-not-implemented', 'Uploads for the purpose "toString" are not offered here.'),
    ],
    [
      'for two purposes',
      slotRequest(
        "filename='a.jpg' size='1'",
        `<profile xmlns='${PURPOSE}'/><ephemeral xmlns='${PURPOSE}'/>`,
      ),
      error('modify', 'bad-request', 'A slot request has at most one purpose.'),
    ],
    ...['tomorrow', '2026-06-02', '2026-02-30T00:00:00Z', '2026-06-02T00:00:00'].map(
      (before) =>
        [
          `that is to expire before "${before}"`,
          slotRequest(
            "filename='a.jpg' size='1'",
            `<ephemeral xmlns='${PURPOSE}' expire-before='${before}'/>`,
          ),
          error('modify', 'bad-request', 'expire-before must be a time such as 2030-01-31T12:00:00Z.'),
        ] as const,
    ),
    [
      'that is to expire before now',
      slotRequest(
        "filename='a.jpg' size='1'",
        `<ephemeral xmlns='${PURPOSE}' expire-before='2026-06-01T12:00:00Z'/>`,
      ),
      error('modify', 'bad-request', 'expire-before lies in the past.'),
    ],
  ];
  for (const [description, stanza, expected] of refusals) {
    test(`${description} is refused with the reason`, async () => {
      const before = component.reservations.length;
      assert.equal(errorIn(await ask(iq(stanza, { from: UNLIMITED_USER }))), expected);
      assert.equal(component.reservations.length, before, 'nothing is reserved');
    });
  }

  test('for a forbidden content type is answered with the allowed ones', async () => {
    const attributes = "filename='a.exe' size='1' content-type='application/x-msdownload'";
    assert.equal(
      errorIn(await ask(iq(slotRequest(attributes)))),
      error(
        'modify',
        'not-acceptable',
        'Files of type application/x-msdownload may not be uploaded here, only image/*.',
      ),
    );
  });

  test('of a user without permission is forbidden', async () => {
    const answer = await ask(iq(slotRequest("filename='a.jpg' size='1'"), { from: 'tybalt@capulet.lit/x' }));
    assert.equal(
      errorIn(answer),
      error('auth', 'forbidden', 'tybalt@capulet.lit may not upload files here.'),
    );
  });

  test('gets its purpose from its child element or from the file name prefix', async () => {
    const purposeOf = async (attributes: string, child = '') => {
      await server.request(iq(slotRequest(attributes, child), { from: UNLIMITED_USER }));
      return last()?.purpose;
    };
    assert.equal(await purposeOf("filename='a.jpg' size='1'", `<profile xmlns='${PURPOSE}'/>`), 'profile');
    assert.equal(await purposeOf("filename='story_a.jpg' size='1'"), 'ephemeral');
    assert.equal(await purposeOf("filename='story_a.jpg' size='1'", `<message xmlns='${PURPOSE}'/>`), '');
    assert.equal(await purposeOf("filename='a.jpg' size='1'", "<other xmlns='urn:example'/>"), '');
  });

  test('may limit the life of the file with expire-before', async () => {
    const expiry = async (before: string) => {
      const purpose = `<ephemeral xmlns='${PURPOSE}' ${before}/>`;
      await server.request(iq(slotRequest("filename='a.jpg' size='1'", purpose), { from: UNLIMITED_USER }));
      return last()?.expiresAt;
    };
    assert.equal(await expiry("expire-before='2026-06-01T15:00:00Z'"), NOW + 3 * HOUR);
    assert.equal(await expiry("expire-before='2026-06-01T17:00:00.500+02:00'"), NOW + 3 * HOUR + 500);
    assert.equal(await expiry(''), null);
  });

  test('that fails internally is answered with an error id, and the log has the cause under this id', async () => {
    await withTestComponent(
      {
        onReserve: () => {
          throw new Error('disk /var/lib/porter is on fire');
        },
      },
      async (session, test) => {
        const answer = (await session.request(iq(slotRequest("filename='a' size='1'")))).toString();
        assert.match(answer, /type="error"/);
        const errorId =
          /Internal error ([0-9a-z]{8})\. The log of the server has details/.exec(answer)?.[1] ?? 'none';
        assert.match(errorIn(answer), /^<error type="cancel"><internal-server-error /);
        assert.doesNotMatch(answer, /porter is on fire|\/var/);
        assert.ok(test.logLines.some((line) => line.includes(errorId) && line.includes('on fire')));
      },
    );
  });

  test('that waits for the ledger does not delay other stanzas, and at most 1000 may wait', async () => {
    const slow = Promise.withResolvers<ReserveResult>();
    await withTestComponent({ onReserve: () => slow.promise }, async (session) => {
      session.write(iq(slotRequest("filename='a' size='1'")).repeat(1000));
      const ping = await session.request(iq("<ping xmlns='urn:xmpp:ping'/>"));
      assert.equal(ping.attrs.type, 'result');
      const refused = (await session.request(iq(slotRequest("filename='a' size='1'")))).toString();
      assert.equal(
        errorIn(refused),
        error('wait', 'resource-constraint', 'Too many requests at the same time. Try again soon.'),
      );
      slow.resolve({ granted: true });
      for (let count = 0; count < 1000; count += 1) {
        assert.equal((await session.nextStanza()).attrs.type, 'result');
      }
      assert.equal((await session.request(iq(slotRequest("filename='a' size='1'")))).attrs.type, 'result');
    });
  });
});

describe('a refused slot request', () => {
  test('is reported with the JID of the stanza, the file and the code', async () => {
    await withTestComponent({ rules, now: NOW }, async (session, component) => {
      const from = 'Romeo@montague.tld/garden';
      await session.request(
        iq(slotRequest("filename='a.jpg' size='30000' content-type='image/jpeg'"), { from }),
      );
      await session.request(iq(slotRequest("filename='a.jpg' size='many'"), { from }));
      await session.request(iq(slotRequest("filename='a.jpg' size='3'"), { from: 'x@stranger.example/r' }));
      assert.deepEqual(
        component.refusals.map(({ owner, endpoint, refusal, name, size }) => [
          owner,
          endpoint,
          refusal.code,
          name,
          size,
        ]),
        [
          ['romeo@montague.tld', 'component', 'file_too_large', 'a.jpg', 30_000],
          ['romeo@montague.tld', 'component', 'bad_request', undefined, undefined],
          ['x@stranger.example', 'component', 'denied', 'a.jpg', 3],
        ],
      );
    });
  });
});
