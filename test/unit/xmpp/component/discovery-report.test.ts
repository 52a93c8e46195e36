import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DomainDiscovery } from '../../../../src/xmpp/component/discovery.ts';
import { describeDiscovery } from '../../../../src/xmpp/component/discovery-report.ts';

const listed: DomainDiscovery = {
  domain: 'example.org',
  hasUsers: true,
  failure: null,
  isListed: true,
  software: 'Prosody',
  others: [],
};

function findings(...domains: Partial<DomainDiscovery>[]) {
  const found = domains.map((domain) => ({ ...listed, ...domain }));
  return describeDiscovery({ jid: 'upload.example.org', domains: found });
}

const statesOf = (...domains: Partial<DomainDiscovery>[]) => findings(...domains).map(({ state }) => state);

describe('what the admin reads about discovery', () => {
  test('is good if every domain with users lists the component', () => {
    assert.deepEqual(statesOf({}), ['ok']);
    assert.deepEqual(statesOf({}, { domain: 'example.net' }), ['ok', 'ok']);
  });

  test('fails if no domain lists it, and warns if only one does not', () => {
    assert.deepEqual(statesOf({ isListed: false }), ['fail']);
    assert.deepEqual(statesOf({}, { domain: 'example.net', isListed: false }), ['ok', 'warn']);
  });

  test('does not concern a parent domain without users, nor a domain that does not answer', () => {
    assert.deepEqual(statesOf({ hasUsers: false, isListed: false }, { domain: 'example.net' }), ['ok']);
    assert.deepEqual(statesOf({ failure: 'remote-server-not-found', isListed: false }), ['skip']);
    assert.deepEqual(statesOf(), ['skip']);
  });

  test('names the line for the software of the server', () => {
    const textFor = (software: string | null) => findings({ isListed: false, software })[0]?.text ?? '';
    const items = 'disco_items = { { "upload.example.org", "HTTP File Upload" } }';
    assert.ok(textFor('Prosody').includes(`VirtualHost "example.org" and restart it: ${items}`));
    assert.ok(textFor('Metronome').includes(items));
    assert.ok(textFor('ejabberd').includes('mod_disco: {extra_domains: ["upload.example.org"]}'));
    assert.match(textFor('Openfire'), /List upload\.example\.org among the service discovery items/);
    assert.match(textFor(null), /Clients notice it at their next login/);
  });

  test('names services that clients would choose instead', () => {
    const others = [
      { jid: 'example.org', isFirst: true },
      { jid: 'share.example.org', isFirst: false },
    ];
    const [itself, after] = findings({ others });
    assert.deepEqual([itself?.state, after?.state], ['warn', 'warn']);
    assert.match(itself?.text ?? '', /^example\.org itself offers uploads too: clients use it instead/);
    assert.match(after?.text ?? '', /lists share\.example\.org, which offers .* clients may use it instead/);
  });
});
