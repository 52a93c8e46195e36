import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type AccessRule,
  allowAllRule,
  compileAccessRules,
  jidsInRules,
} from '../../../src/policy/access.ts';

function rule(jid: string | string[], more: Partial<AccessRule> = {}): AccessRule {
  return { ...allowAllRule, jid: [jid].flat(), ...more };
}

describe('access rules', () => {
  // The example of django-xmpp-http-upload's README.
  const access = compileAccessRules([
    rule('^admin@jabber\\.at$'),
    rule('^blocked@jabber\\.at$', { deny: true }),
    rule(['@jabber\\.at$', '@jabber\\.zone$'], { max_file_size: 512 * 1024 }),
    rule('.*', { deny: true }),
  ]);

  test('the first rule that matches decides', () => {
    assert.equal(access.decide('admin@jabber.at').index, 0);
    assert.deepEqual(access.decide('blocked@jabber.at'), { allowed: false, index: 1 });
    const user = access.decide('user@jabber.zone');
    assert.ok(user.allowed);
    assert.equal(user.rule.max_file_size, 512 * 1024);
    assert.deepEqual(access.decide('somebody@elsewhere.example'), { allowed: false, index: 3 });
  });

  test('a deny rule holds for every spelling of the account that a server may have', () => {
    const spellings = ['^stra\u00dfe@', '^STRASSE@', '^stra\u1e9ee@', '^\uff53trasse@', '^stras\u00adse@'];
    for (const pattern of spellings) {
      const denying = compileAccessRules([rule(pattern, { deny: true }), rule('.*')]);
      for (const owner of ['strasse@example.org', 'stra\u00dfe@example.org']) {
        assert.equal(denying.decide(owner).allowed, false, `${pattern} ${owner}`);
      }
      assert.ok(denying.decide('strase@example.org').allowed);
    }
  });

  test('an allowing rule holds for its own spelling only', () => {
    const allowing = compileAccessRules([rule('^strasse@')]);
    assert.ok(allowing.decide('strasse@example.org').allowed);
    assert.equal(allowing.decide('stra\u00dfe@example.org').allowed, false);
  });

  test('access is denied if no rule matches', () => {
    assert.deepEqual(compileAccessRules([]).decide('user@example.org'), { allowed: false, index: null });
  });

  test('a repeated decision is the same', () => {
    assert.equal(access.decide('user@jabber.at'), access.decide('user@jabber.at'));
  });

  test('many unknown owners change neither the decisions nor the memory use', () => {
    for (let i = 0; i < 25_000; i += 1) access.decide(`stranger${i}@jabber.at`);
    assert.equal(access.decide('admin@jabber.at').index, 0);
    assert.deepEqual(access.decide('blocked@jabber.at'), { allowed: false, index: 1 });
  });

  test('a pattern that backtracks in other engines takes linear time', () => {
    const nasty = compileAccessRules([rule('^(a+)+$'), rule('@example\\.org$')]);
    assert.equal(nasty.decide(`${'a'.repeat(1000)}@example.org`).index, 1);
  });
});

describe('rules that name one JID', () => {
  test('return it, with or without escaped dots', () => {
    const rules = [
      rule(['^Admin@Example\\.org$', '^romeo@example.org$']),
      rule('^juliet\\-capulet\\@example\\.org$', { deny: true }),
      rule('^example\\.org$'),
    ];
    const named = ['admin@example.org', 'romeo@example.org', 'juliet-capulet@example.org', 'example.org'];
    assert.deepEqual(jidsInRules(rules), named);
  });

  test('are distinguished from patterns that match several', () => {
    for (const pattern of [
      '@example\\.org$',
      '^romeo@',
      '^(a|b)@c$',
      '^.*@c$',
      '^a+@c$',
      '^a@c\\.(?:org|net)$',
      '^\\w@c$',
      '^$',
    ]) {
      assert.deepEqual(jidsInRules([rule(pattern)]), [], pattern);
    }
  });
});
