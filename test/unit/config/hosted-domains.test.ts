import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createHostedLinks } from '../../../src/config/hosted-domains.ts';
import { compileAccessRules } from '../../../src/policy/access.ts';
import { configProblemText, parseTestConfig } from './parse-test-config.ts';

const component = (jid: string, more = '') => `  - {jid: ${jid}, secret: a-secret-of-16-letters${more}}\n`;

const TWO = `component:
${component('upload.verona.example', ', public_url: "https://up.verona.example"')}${component('upload.mantua.example', ', public_url: "https://up.mantua.example"')}`;

const warningsOf = (text: string) => parseTestConfig(text).warnings.join('\n');

describe('hosted domains', () => {
  test('have one access rule: {domain} matches accounts of each of them, and no others', () => {
    const { access } = parseTestConfig(`${TWO}access: [{jid: '@{domain}$'}]`);
    const { decide } = compileAccessRules(access);
    for (const jid of ['romeo@verona.example', 'balthasar@mantua.example'])
      assert.ok(decide(jid).allowed, jid);
    for (const jid of [
      'romeo@veronaXexample',
      'romeo@verona.example.evil',
      'romeo@sub.verona.example',
      '{domain}',
    ])
      assert.ok(!decide(jid).allowed, jid);
  });

  test('are those that a component names, by default the part of its JID after the first dot', () => {
    const { access } = parseTestConfig(
      `public_url: https://h.example\ncomponent:\n${component('files.h.example', ', domains: [verona.example, mantua.example]')}access: [{jid: '^admin@{domain}$'}]`,
    );
    const { decide } = compileAccessRules(access);
    assert.ok(decide('admin@mantua.example').allowed);
    assert.ok(!decide('admin@h.example').allowed);
  });

  test('have links on their name; everybody else gets those of the service', () => {
    const links = createHostedLinks(parseTestConfig(`public_url: https://h.example\n${TWO}`));
    assert.equal(links.forOwner('romeo@verona.example').getBase, 'https://up.verona.example');
    assert.equal(links.forOwner('alerts@upload.mantua.example').getBase, 'https://up.mantua.example');
    assert.equal(links.forOwner('paris@elsewhere.example').getBase, 'https://h.example');
    assert.equal(
      links.forComponent('upload.mantua.example', 'paris@elsewhere.example').getBase,
      'https://up.mantua.example',
    );
    assert.equal(
      links.forComponent('upload.mantua.example', 'romeo@verona.example').getBase,
      'https://up.verona.example',
    );
  });

  test('can have several components each: then the one that is asked decides', () => {
    const links = createHostedLinks(
      parseTestConfig(
        `component:\n${component('a.verona.example', ', public_url: "https://a.example"')}${component('b.verona.example', ', public_url: "https://b.example", download_url: "https://dl.example"')}`,
      ),
    );
    assert.deepEqual(links.forComponent('b.verona.example', 'romeo@verona.example'), {
      putBase: 'https://b.example',
      getBase: 'https://dl.example',
    });
  });

  test('need no public_url at the top if every component has one', () => {
    assert.equal(configProblemText(`${TWO}access: [{jid: '@{domain}$'}]`), '');
    const oneWithout = `component:\n${component('upload.verona.example', ', public_url: "https://x.example"')}${component('upload.mantua.example')}`;
    assert.match(configProblemText(oneWithout), /component: needs public_url/);
  });

  test('inherit download_url only where they have no public_url, or where the web server sends the files', () => {
    const top = 'public_url: https://h.example\ndownload_url: https://dl.h.example\n';
    const own = component('upload.verona.example', ', public_url: "https://up.verona.example"');
    const base = (more: string, entry: string) =>
      createHostedLinks(parseTestConfig(`${top}${more}component:\n${entry}`)).forOwner('romeo@verona.example')
        .getBase;
    assert.equal(base('', component('upload.verona.example')), 'https://dl.h.example');
    assert.equal(base('', own), 'https://up.verona.example');
    assert.equal(base('downloads: {via: webserver}\n', own), 'https://dl.h.example');
  });

  test('are checked: {domain} without a component is an error', () => {
    assert.match(
      configProblemText("access: [{jid: '@{domain}$'}]"),
      /access\[0\]\.jid: \{domain\} stands for the domains of `component`, but there are none/,
    );
  });

  test('are checked: contradictions are warnings', () => {
    const access = "access: [{jid: '@{domain}$'}]";
    assert.doesNotMatch(warningsOf(`${TWO}${access}`), /component|\{domain\}/);
    assert.match(
      warningsOf(
        `component:\n${component('a.verona.example', ', public_url: "https://a.example"')}${component('b.verona.example', ', public_url: "https://b.example"')}${access}`,
      ),
      /a\.verona\.example and b\.verona\.example both serve verona\.example, with different links/,
    );
    assert.match(
      warningsOf(
        `component:\n${component('upload.verona.example', ', public_url: "https://upload.mantua.example"')}${component('upload.mantua.example', ', public_url: "https://upload.mantua.example"')}${access}`,
      ),
      /component\[0\]\.public_url of upload\.verona\.example is at upload\.mantua\.example, the name of another component/,
    );
    assert.match(
      warningsOf(`${TWO}access: [{jid: '@verona\\.example$'}]`),
      /component upload\.mantua\.example: no rule of access allows users of mantua\.example/,
    );
    for (const pattern of ['@{domain}', '{domain}$'])
      assert.match(
        warningsOf(`${TWO}access: [{jid: '${pattern}'}]`),
        /also matches accounts at other domains/,
        pattern,
      );
    assert.match(
      warningsOf(
        `public_url: https://h.example\ndownload_url: https://h.example/f\ndownloads: {via: webserver}\n${TWO}${access}`,
      ),
      /upload\.verona\.example: its download links begin with download_url/,
    );
    assert.match(
      warningsOf(
        `component:\n${component('upload.verona.example', ', public_url: "http://up.verona.example"')}${access}`,
      ),
      /public_url of component upload\.verona\.example is http/,
    );
  });
});
