import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { namedDomains, userDomainsOf } from '../../../src/config/user-domains.ts';

const allow = (...jid: string[]) => ({ deny: false, jid });

describe('the domains whose users may upload', () => {
  for (const [pattern, domains] of [
    ['@example\\.org$', ['example.org']],
    ['@example.org', ['example.org']],
    ['^romeo@example\\.org$', ['example.org']],
    ['^.*@localhost$', ['localhost']],
    ['@b\\.xn--bcher-kva\\.example$', ['b.bücher.example']],
    ['example\\.org$', ['example.org']],
    ['.*', []],
    ['^romeo', []],
    ['@(a|b)\\.example$', []],
    ['@.*\\.example\\.org$', []],
  ] as const) {
    test(`of the pattern ${pattern}: ${domains.join(', ') || 'none is named'}`, () => {
      assert.deepEqual(namedDomains([allow(pattern)]), domains);
    });
  }

  test('do not include those of deny rules', () => {
    assert.deepEqual(namedDomains([{ deny: true, jid: ['@example\\.org$'] }]), []);
  });

  test('include the parent domain of the component, if accounts there may upload', () => {
    const domains = (jid: string, ...patterns: string[]) =>
      userDomainsOf(jid, { access: [allow(...patterns)], component: [{ jid, domains: null }] });
    const parent = { domain: 'example.org', hasUsers: true };
    assert.deepEqual(domains('upload.example.org', '.*'), [parent]);
    assert.deepEqual(domains('upload.example.org', '@example\\.org$'), [parent]);
    assert.deepEqual(domains('upload.example.org', '@a\\.example$'), [
      { ...parent, hasUsers: false },
      { domain: 'a.example', hasUsers: true },
    ]);
    assert.deepEqual(domains('upload.org', '@example\\.org$'), [parent]);
    assert.deepEqual(domains('example.org', '@example\\.org$'), []);
  });
});
