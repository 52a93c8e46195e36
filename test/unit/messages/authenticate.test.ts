import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, Refusal } from '../../../src/base/errors.ts';
import { sha256Hex } from '../../../src/base/ids.ts';
import type { WebToken } from '../../../src/ledger/contract/ledger.ts';
import {
  authenticateClient,
  checkRecipientAllowed,
  createAccountMatcher,
  createTokenFinder,
} from '../../../src/messages/authenticate.ts';
import type {
  AccountLogin,
  MessageSender,
  MessageSenders,
} from '../../../src/messages/delivery/message-sender.ts';
import type { MessageRules, TokenRule } from '../../../src/messages/message-rules.ts';
import { authenticateWithUserTokens } from '../../../src/messages/user-tokens.ts';

const senderFor = (jid: string) => ({ jid }) as MessageSender;

function createServices(tokens: readonly TokenRule[]) {
  const logins: AccountLogin[] = [];
  const senders: MessageSenders = {
    async openAccountSender(login) {
      logins.push(login);
      return senderFor(`${login.jid}/porter`);
    },
    componentSender: senderFor,
  };
  return { logins, services: { senders, messageRules: () => ({ tokens }) as MessageRules } };
}

const rule = (token: string, to: string[] = ['.*']): TokenRule => ({
  token,
  from: 'alerts@upload.lit',
  to,
  messages_per: null,
  queue: false,
});

const refusal = (code: ErrorCode) => (error: unknown) => error instanceof Refusal && error.code === code;

describe('A client', () => {
  test('is authenticated by its token, plain or hashed in the config', async () => {
    const { services } = createServices([
      rule('first-token'),
      rule(`sha256:${sha256Hex('second-token').toUpperCase()}`),
    ]);
    for (const token of ['first-token', 'second-token']) {
      const sender = await authenticateClient(services, { kind: 'bearer', token }, '192.0.2.1');
      assert.equal(sender.jid, 'alerts@upload.lit');
      assert.equal(sender.sender.jid, 'alerts@upload.lit');
    }
  });

  test('is refused with a token that a reload has removed, and limited to its new recipients', async () => {
    let tokens = [rule('old-token', ['@a\\.example$']), rule('kept-token', ['@a\\.example$'])];
    const { services } = createServices([]);
    const reloading = { ...services, messageRules: () => ({ tokens }) as unknown as MessageRules };
    const logIn = (token: string) => authenticateClient(reloading, { kind: 'bearer', token }, '192.0.2.1');
    await logIn('old-token');
    checkRecipientAllowed(await logIn('kept-token'), 'romeo@a.example');
    tokens = [rule('kept-token', ['@b\\.example$']), rule('new-token')];
    await assert.rejects(logIn('old-token'), refusal('credentials_wrong'));
    await logIn('new-token');
    const kept = await logIn('kept-token');
    checkRecipientAllowed(kept, 'romeo@b.example');
    assert.throws(() => checkRecipientAllowed(kept, 'romeo@a.example'), refusal('recipient_refused'));
  });

  test('is refused with the hash itself or an empty token', async () => {
    const hash = sha256Hex('second-token');
    const { services } = createServices([rule(`sha256:${hash}`)]);
    for (const token of [hash, `sha256:${hash}`, '', 'other'])
      await assert.rejects(
        authenticateClient(services, { kind: 'bearer', token }, '192.0.2.1'),
        refusal('credentials_wrong'),
      );
  });

  test('with an account logs in and owns its files under the bare JID', async () => {
    const { services, logins } = createServices([]);
    const sender = await authenticateClient(
      services,
      { kind: 'basic', jid: 'Romeo@Montague.lit/phone', password: 'p' },
      '192.0.2.1',
    );
    assert.equal(sender.jid, 'romeo@montague.lit');
    assert.equal(sender.token, null);
    assert.equal(logins[0]?.address, '192.0.2.1');
  });

  test('is the account that its XMPP server has bound, whatever spelling it used', async () => {
    const { services } = createServices([]);
    const senders: MessageSenders = {
      ...services.senders,
      openAccountSender: async () => senderFor('strasse@montague.lit/porter'),
    };
    for (const jid of ['stra\u00dfe@montague.lit', 'STRASSE@montague.lit']) {
      const client = await authenticateClient(
        { ...services, senders },
        { kind: 'basic', jid, password: 'p' },
        '192.0.2.1',
      );
      assert.equal(client.jid, 'strasse@montague.lit');
    }
  });

  test('is refused without a login if PRECIS forbids its name, with the reason', async () => {
    const { services, logins } = createServices([]);
    const login = { kind: 'basic', jid: 'ro\u00admeo@montague.lit', password: 'p' } as const;
    await assert.rejects(
      authenticateClient(services, login, '192.0.2.1'),
      (error) => refusal('credentials_wrong')(error) && /U\+00AD is not allowed/.test(String(error)),
    );
    assert.deepEqual(logins, []);
  });

  test('without a valid account name causes no login', async () => {
    const { services, logins } = createServices([]);
    for (const jid of ['romeo', '', '@montague.lit', 'a b@montague.lit'])
      await assert.rejects(
        authenticateClient(services, { kind: 'basic', jid, password: 'p' }, '192.0.2.1'),
        refusal('credentials_wrong'),
      );
    assert.deepEqual(logins, []);
  });

  test('may write to the recipients of its token, compared by bare normalized JID', () => {
    const token = rule('a', ['@capulet\\.lit$', '^room@']);
    for (const to of ['juliet@capulet.lit', 'Juliet@Capulet.LIT/balcony', 'room@muc.lit'])
      assert.doesNotThrow(() => checkRecipientAllowed({ token }, to), to);
    for (const to of ['romeo@montague.lit', 'romeo@montague.lit/@capulet.lit', 'capulet.lit', 'no jid@'])
      assert.throws(() => checkRecipientAllowed({ token }, to), refusal('recipient_refused'), to);
    assert.doesNotThrow(() => checkRecipientAllowed({ token: null }, 'romeo@montague.lit'));
  });
});

test('a token is found only by its full value', () => {
  const find = createTokenFinder([{ token: 'abc' }, { token: 'abcd' }]);
  assert.equal(find('abcd')?.token, 'abcd');
  assert.equal(find('abcde'), undefined);
});

describe('Accounts that may log in without messages.accounts', () => {
  const matcher = (access: readonly { jid: string[]; deny?: boolean }[], components: string[] = []) =>
    createAccountMatcher({
      accounts: null,
      components,
      access: access.map(({ jid, deny = false }) => ({ jid, deny })),
    });

  test('are those of the domains of components', () => {
    const mayLogIn = matcher([], ['upload.example.org', 'localhost']);
    for (const jid of ['a@example.org', 'a@upload.example.org', 'a@localhost']) assert.ok(mayLogIn(jid), jid);
    for (const jid of ['a@evil.example', 'a@org', 'a@notexample.org', 'a@other.example.org']) {
      assert.equal(mayLogIn(jid), false, jid);
    }
  });

  test('are those that a rule of access matches because of their domain', () => {
    const mayLogIn = matcher([{ jid: ['^romeo@', '@example\\.org$'] }, { jid: ['.*'] }]);
    assert.ok(mayLogIn('juliet@example.org'));
    assert.equal(mayLogIn('juliet@evil.example'), false);
    assert.equal(mayLogIn('romeo@evil.example'), false);
    assert.equal(mayLogIn('example.org@evil.example'), false);
  });

  test('are none if no domain is named, or only a denied one', () => {
    assert.equal(matcher([{ jid: ['.*'] }])('a@example.org'), false);
    assert.equal(matcher([{ jid: ['@evil\\.example$'], deny: true }])('a@evil.example'), false);
  });

  test('are the listed ones if there is a list', () => {
    const mayLogIn = createAccountMatcher({
      accounts: ['@a\\.example$'],
      components: ['b.example'],
      access: [],
    });
    assert.ok(mayLogIn('x@a.example'));
    assert.equal(mayLogIn('x@b.example'), false);
  });
});

describe('A token that a user has made on the web page', () => {
  const found = { jid: 'a.b+c@lit', scopes: ['message'] } as unknown as WebToken;
  const findTokenOfUser = async (token: string) => (token === 'porter_x' ? found : undefined);

  test('sends messages from a component, and only to its user', async () => {
    const { services } = createServices([]);
    const messageRules = () =>
      ({ tokens: [], components: [{ jid: 'upload.lit' }] }) as unknown as MessageRules;
    const withTokens = { ...services, messageRules, findTokenOfUser };
    const logIn = (token: string, scope: 'message' | 'share') =>
      authenticateWithUserTokens(withTokens, { kind: 'bearer', token }, '192.0.2.1', scope);
    const client = await logIn('porter_x', 'message');
    assert.equal(client.jid, 'a.b+c@lit', 'files are charged to the user');
    assert.equal(client.sender.jid, 'upload.lit');
    checkRecipientAllowed(client, 'a.b+c@lit/phone');
    for (const other of ['axb+c@lit', 'a.bb+c@lit', 'xa.b+c@lit', 'a.b+c@lit.example'])
      assert.throws(() => checkRecipientAllowed(client, other), refusal('recipient_refused'));
    await assert.rejects(logIn('porter_x', 'share'), refusal('not_permitted'));
    await assert.rejects(logIn('porter_y', 'message'), refusal('credentials_wrong'));
    const stranger = authenticateClient(withTokens, { kind: 'bearer', token: 'porter_x' }, '192.0.2.1');
    await assert.rejects(
      stranger,
      refusal('credentials_wrong'),
      'not at /rest, where it could choose its stanzas',
    );
  });
});
