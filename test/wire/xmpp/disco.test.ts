import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Element } from '@xmpp/xml';
import { description, version } from '../../../src/base/package-files.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import type { FakeComponentStream } from '../../support/fake-component-server.ts';
import { uploadRules } from '../../support/granting-services.ts';
import {
  iq,
  JID,
  slotRequest,
  startTestComponent,
  type TestComponent,
} from '../../support/test-component.ts';

const DISCO_INFO = 'http://jabber.org/protocol/disco#info';
const DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';
const UPLOAD = 'urn:xmpp:http:upload:0';
const LEGACY = 'urn:xmpp:http:upload';
const PURPOSE = 'urn:xmpp:http:upload:purpose:0';
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';

const rules = uploadRules(
  [
    { ...allowAllRule, jid: ['^large@'], max_file_size: 5 * 2 ** 30 },
    { ...allowAllRule, jid: ['^small@'], max_file_size: 20_000 },
    { ...allowAllRule, jid: ['^full@'], max_file_size: 20_000, max_total_size: 10_000 },
    { ...allowAllRule, jid: ['^unlimited@'] },
  ],
  {
    retention: {
      max_age: 30 * 86_400_000,
      soft_quota: 0,
      purposes: { profile: {}, permanent: { max_age: 60 * 86_400_000 } },
      name_prefixes: {},
    },
  },
);

const infoQuery = (from: string) =>
  iq(`<query xmlns='${DISCO_INFO}'/>`, { from: `${from}@montague.tld/garden` });

/** [variable, type, values] of every field of every form, in order. */
function formsIn(answer: Element): (string | undefined)[][][] {
  const forms = answer.getChild('query', DISCO_INFO)?.getChildren('x', 'jabber:x:data') ?? [];
  return forms.map((form) =>
    form.getChildren('field').map(({ attrs, ...field }) => {
      const value = field.children
        .filter((child) => typeof child !== 'string')
        .map((child) => child.getText());
      return [attrs.var, attrs.type, ...value];
    }),
  );
}

describe('service discovery of the component', () => {
  let component: TestComponent;
  let server: FakeComponentStream;
  before(async () => {
    component = await startTestComponent({
      rules,
      admins: {
        admins: [],
        moderators: ['helper@montague.tld'],
        contacts: ['mailto:abuse@montague.tld'],
        keepRecords: null,
      },
      noReply: [JID, `alerts@${JID}`],
    });
    server = await component.server.nextStream();
  });
  after(() => component.stop());

  const featuresOf = async (stanza: string) => {
    const query = (await server.request(stanza)).getChild('query', DISCO_INFO);
    return query?.getChildren('feature').map(({ attrs }) => attrs.var) ?? [];
  };

  test('announces the identity store/file with the configured name', async () => {
    const answer = await server.request(infoQuery('small'));
    const [identity, ...more] = answer.getChild('query', DISCO_INFO)?.getChildren('identity') ?? [];
    assert.deepEqual(identity?.attrs, { category: 'store', type: 'file', name: 'HTTP File Upload' });
    assert.deepEqual(more, []);
  });

  test('announces uploads in both namespaces and exactly the configured purposes', async () => {
    const features = await featuresOf(infoQuery('small'));
    for (const feature of [
      UPLOAD,
      LEGACY,
      DISCO_INFO,
      DISCO_ITEMS,
      'urn:xmpp:ping',
      'jabber:iq:version',
      'vcard-temp',
    ]) {
      assert.ok(features.includes(feature), feature);
    }
    assert.deepEqual(
      features.filter((feature) => feature?.startsWith(PURPOSE)),
      [`${PURPOSE}#profile`, `${PURPOSE}#permanent`],
    );
  });

  test('has the upload form first, with its hidden FORM_TYPE first, then the form of the old namespace, then all others', async () => {
    const form = (ns: string) => [
      ['FORM_TYPE', 'hidden', ns],
      ['max-file-size', undefined, '20000'],
    ];
    const [first, second, ...others] = formsIn(await server.request(infoQuery('small')));
    assert.deepEqual([first, second], [form(UPLOAD), form(LEGACY)]);
    assert.deepEqual(
      others.map((other) => other[0]),
      [
        ['FORM_TYPE', 'hidden', 'urn:xmpp:data-policy:0'],
        ['FORM_TYPE', 'hidden', 'http://jabber.org/network/serverinfo'],
      ],
    );
  });

  test('says how long files are kept, that users can delete them, and who else can (XEP-0504)', async () => {
    const policy = formsIn(await server.request(infoQuery('small')))[2];
    assert.deepEqual(policy?.slice(1, 6), [
      ['data_retention', 'text-single', '1440'],
      ['data_deletion', 'boolean', 'true'],
      ['data_export', 'boolean', 'false'],
      ['full_erasure', 'boolean', 'false'],
      ['access_policy', 'list-multi', 'admins', 'moderators'],
    ]);
  });

  test('names where to report abuse (XEP-0157)', async () => {
    const contacts = formsIn(await server.request(infoQuery('small')))[3];
    assert.deepEqual(contacts?.[1], ['abuse-addresses', 'list-multi', 'mailto:abuse@montague.tld']);
  });

  test('says at senders that they accept no messages (XEP-0506), and refuses messages to them', async () => {
    assert.ok((await featuresOf(infoQuery('small'))).includes('urn:xmpp:noreply:0'));
    const to = `alerts@${JID}`;
    const info = await server.request(iq(`<query xmlns='${DISCO_INFO}'/>`, { to }));
    const query = info.getChild('query', DISCO_INFO);
    assert.deepEqual(query?.getChild('identity')?.attrs, { category: 'client', type: 'bot' });
    assert.ok(query?.getChildren('feature').some(({ attrs }) => attrs.var === 'urn:xmpp:noreply:0'));
    const message = `<message from='romeo@montague.tld/x' to='${to}' type='chat'><body>thanks</body></message>`;
    const refused = await server.request(message);
    assert.match(refused.toString(), /Messages to this address are not read: it only sends messages\./);
    const other = await server.request(iq(`<query xmlns='${DISCO_INFO}'/>`, { to: `bob@${JID}` }));
    assert.ok(other.getChild('error')?.getChild('item-not-found', STANZAS));
  });

  test('announces the limit of the requester, or the largest 32-bit integer if there is none', async () => {
    const sizes = async (user: string) =>
      formsIn(await server.request(infoQuery(user)))
        .slice(0, 2)
        .map((form) => form[1]?.[2]);
    const size = async (user: string) => (await sizes(user))[0];
    assert.equal(await size('small'), '20000');
    assert.equal(await size('full'), '10000', 'at most the quota');
    assert.equal(await size('unlimited'), '2147483647');
    assert.equal(await size('large'), String(5 * 2 ** 30), 'a configured limit is announced unchanged');
    // Psi+ reads the form of the old namespace as a 32-bit integer, and offers no upload above it.
    assert.deepEqual(await sizes('large'), [String(5 * 2 ** 30), '2147483647']);
    assert.equal(await size('denied'), '2147483647', 'a denied user gets the refusal with the slot request');
  });

  test('has no items, and refuses nodes with item-not-found', async () => {
    const items = await server.request(iq(`<query xmlns='${DISCO_ITEMS}'/>`));
    assert.equal(items.attrs.type, 'result');
    assert.deepEqual(items.getChild('query', DISCO_ITEMS)?.children, []);
    for (const ns of [DISCO_INFO, DISCO_ITEMS]) {
      const answer = await server.request(iq(`<query xmlns='${ns}' node='commands'/>`));
      assert.ok(answer.getChild('error')?.getChild('item-not-found', STANZAS), answer.toString());
    }
  });

  test('answers pings, version queries and vCard requests', async () => {
    const ping = await server.request(iq("<ping xmlns='urn:xmpp:ping'/>"));
    assert.deepEqual([ping.attrs.type, ping.attrs.id, ping.children], ['result', 'step_03', []]);
    const versionReply = (await server.request(iq("<query xmlns='jabber:iq:version'/>"))).getChild(
      'query',
      'jabber:iq:version',
    );
    assert.equal(
      versionReply?.toString(),
      `<query xmlns="jabber:iq:version"><name>Porter</name><version>${version}</version></query>`,
    );
    const card = (await server.request(iq("<vCard xmlns='vcard-temp'/>"))).getChild('vCard', 'vcard-temp');
    assert.equal(card?.getChild('FN')?.getText(), 'HTTP File Upload');
    assert.equal(card?.getChild('DESC')?.getText(), `Porter: ${description}`);
  });

  const errors: readonly (readonly [string, string, string, string])[] = [
    ['an unknown request', iq("<query xmlns='jabber:iq:last'/>"), 'cancel', 'service-unavailable'],
    ['a request of no namespace', iq('<query/>'), 'cancel', 'service-unavailable'],
    [
      'a name that is also a property of JavaScript objects',
      iq("<constructor xmlns='x'/>"),
      'cancel',
      'service-unavailable',
    ],
    [
      'a set where only get makes sense',
      iq("<ping xmlns='urn:xmpp:ping'/>", { type: 'set' }),
      'cancel',
      'service-unavailable',
    ],
    ['an empty iq', iq(''), 'modify', 'bad-request'],
    [
      'an iq of two requests',
      iq("<ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/>"),
      'modify',
      'bad-request',
    ],
    [
      'a request to an address with a local part',
      iq(slotRequest("filename='a' size='1'"), { to: 'juliet@upload.montague.tld' }),
      'cancel',
      'item-not-found',
    ],
  ];
  for (const [request, stanza, type, condition] of errors) {
    test(`answers ${request} with ${condition} and a text`, async () => {
      const answer = await server.request(stanza);
      const error = answer.getChild('error');
      assert.equal(answer.attrs.id, 'step_03');
      assert.equal(error?.attrs.type, type);
      assert.ok(error?.getChild(condition, STANZAS), answer.toString());
      assert.match(error?.getChild('text', STANZAS)?.getText() ?? '', /\.$/);
    });
  }

  test('answers personal messages with an error, and no other message, presence or response', async () => {
    const from = "from='romeo@montague.tld/x' to='upload.montague.tld'";
    server.write(
      [
        `<presence ${from} type='subscribe'/>`,
        `<presence ${from}/>`,
        `<message ${from} type='error'><body>bounced</body></message>`,
        `<message ${from} type='headline'><body>news</body></message>`,
        `<message ${from} type='groupchat'><body>hello all</body></message>`,
        `<message ${from} type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
        `<iq ${from} type='result' id='r'/>`,
        `<iq ${from} type='error' id='e'/>`,
        "<iq type='get' id='no-sender'><ping xmlns='urn:xmpp:ping'/></iq>",
      ].join(''),
    );
    const answer = await server.request(`<message ${from} id='m1' type='chat'><body>hello</body></message>`);
    assert.equal(answer.name, 'message');
    assert.deepEqual(answer.attrs, {
      type: 'error',
      from: 'upload.montague.tld',
      to: 'romeo@montague.tld/x',
      id: 'm1',
    });
    assert.match(answer.toString(), /Messages to this address are not read/);
    assert.doesNotMatch(answer.toString(), /hello/);
  });
});
