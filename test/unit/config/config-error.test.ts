// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the config has this syntax
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configProblemText, listConfigProblems, parseTestConfig } from './parse-test-config.ts';

describe('a config file with problems', () => {
  test('is reported with all problems at once, each with line, key and expected value', () => {
    const text = `listen: [5050, 'host:99999']
acess: []
component:
  jid: user@example.org
  secret_fle: /run/secret
access:
  - jid: ['(', 'ok']
    max_file_size: 12 elephants
slots: {timeout: -1}
`;
    assert.deepEqual(listConfigProblems(text), [
      'porter.yml:1: listen[1]: expected host:port, [::1]:port, a port or unix:/path, got "host:99999"',
      'porter.yml:2: acess: unknown key; did you mean access?',
      'porter.yml:3: component.secret: is missing; expected a secret: text that is not empty',
      'porter.yml:3: component: needs public_url, which clients upload to; add public_url',
      'porter.yml:4: component.jid: expected a domain such as upload.example.org, got "user@example.org"',
      'porter.yml:5: component.secret_fle: unknown key; did you mean secret_file?',
      'porter.yml:7: access[0].jid[0]: is not a valid pattern: missing closing ): `(` (the syntax is RE2, without look-around and back-references)',
      'porter.yml:8: access[0].max_file_size: expected a size such as 512 KiB, 10 MB or plain bytes, got "12 elephants"',
      'porter.yml:9: slots.timeout: expected a period such as 90s, 15m, 1h or 30d, got -1',
    ]);
  });

  test('is reported in one round, whatever kinds of problems it has', () => {
    const text = `workers: 1
slots:
\ttimeout: 5d
\tcleanup: 3
access:
  - jid: "@example\\.org$"
    max_file_size: 12 elephants
listen: [5050, 5050]
workers: 2
downloads: {via: presigned}
`;
    assert.deepEqual(
      listConfigProblems(text).map((line) => line.replace(/;.*/, '')),
      [
        'porter.yml:3: indented with a tab: YAML allows only spaces',
        'porter.yml:4: slots.cleanup: unknown key',
        'porter.yml:6: a backslash in double quotes must begin a valid escape',
        'porter.yml:7: access[0].max_file_size: expected a size such as 512 KiB, 10 MB or plain bytes, got "12 elephants"',
        'porter.yml:8: listen[1]: *:5050 is listed twice',
        'porter.yml:9: workers: this key is given twice',
        'porter.yml:10: downloads.via: presigned needs the blobs on S3',
      ],
    );
  });

  test('is reported without problems that only follow from another one', () => {
    const text = `public_url: https://example.org
component: {jid: upload.example.org, server: 'x:y', secret: a-secret-of-16-letters}
access: [{jid: '@example\\.org$'}]
messages: {tokens: [{token: a-token-of-16-letters, from: bot@upload.example.org}]}
`;
    assert.deepEqual(listConfigProblems(text).length, 1);
  });

  test('beside a section that is not valid YAML: all others are checked, and nothing is reported for its absence', () => {
    const text = `component: {jid: upload.example.org, secret: a-secret-of-16-letters}
public_url: [https://example.org
workers: many
admin:
  jids: [a@example.org
slots:
  timeuot: 5s
`;
    assert.deepEqual(
      listConfigProblems(text).map((line) => line.replace(/(not valid YAML|unknown key).*/, '$1')),
      [
        'porter.yml:2: not valid YAML',
        'porter.yml:3: workers: expected a whole number from 1 to 1024, or auto, got "many"',
        'porter.yml:5: not valid YAML',
        'porter.yml:7: slots.timeuot: unknown key',
      ],
    );
  });

  const single: Record<string, [string, RegExp]> = {
    'a key given twice': [
      'workers: 1\nworkers: 2',
      /:2: workers: this key is given twice; the first is in line 1/,
    ],
    'a pattern in double quotes': [
      'access: [{jid: "@example\\.org$"}]',
      /:1: .*write patterns in single quotes, such as '@example\\.org\$'/,
    ],
    'a pattern with an escape of YAML': [
      'access: [{jid: "\\bromeo@"}]',
      /:1: .*write patterns in single quotes/,
    ],
    'a tab': ['slots:\n\ttimeout: 5s', /:2: indented with a tab/],
    'two documents': ['workers: 1\n---\nworkers: 2', /:2: a second document begins here/],
    'broken YAML': ['access: [1, 2\nlog: {}', /:1: not valid YAML: /],
    'a tag': ['workers: !number 1', /:1: not valid YAML: Unresolved tag/],
    'an alias of nothing': ['access: *rules', /:1: access: there is no anchor &rules/],
    'an alias of itself': ['access: &a [*a]', /:1: access\[0\]: \*a contains itself/],
    'a key that is a list': ['? [a]\n: 1', /:1: a key must be a single word/],
    'a list as the whole': ['- a', /:1: expected a section .*, got a list/],
    'text as the whole': ['porter', /:1: expected a section .*, got "porter"/],
    'a list where a section is meant': ['retention: [1]', /:1: retention: expected a section .*, got a list/],
    'a section where a list is meant': ['access: {jid: a}', /:1: access: expected a list .*, got a section/],
    'a value where a section is meant': ['slots: 5', /:1: slots: expected a section .*, got 5/],
    'a list where a value is meant': ['public_url: [a]', /:1: public_url: expected a URL .*, got a list/],
    'a section where one word is meant': ['workers: {a: 1}', /:1: workers: expected .*, got a section/],
    'a key without a value': ['\npublic_url:\n', /:2: public_url: has no value; add one or remove the line/],
    'a list with nothing in a place': ['listen:\n  -\n', /:2: listen\[0\]: expected .*, got nothing/],
    'an empty list': ['listen: []', /:1: listen: the list is empty/],
    'a number as secret': ['external: {secret: 1234}', /:1: external\.secret: .* put the number in quotes/],
    'a secret over two lines': [
      'external: {secret: "a\\nb"}',
      /external\.secret: a secret must be a single line/,
    ],
    'a size that is too small': [
      'access: [{jid: a, max_total_size: 0}]',
      /must be at least 1 byte \(to forbid uploads/,
    ],
    'no file at all': [
      'access: [{jid: a, max_files: 0}]',
      /:1: access\[0\]\.max_files: must be at least 1 \(to forbid uploads write `deny: true`/,
    ],
    'a period that is too long': ['slots: {timeout: 30d}', /:1: slots\.timeout: must be at most 7 d/],
    'a period without a unit': [
      'retention: {max_age: 30}',
      /:1: retention\.max_age: 30 has no unit: write 30d, 30 min or 30s/,
    ],
    'an age of nothing': ['retention: {max_age: 0}', /0 is ambiguous; write never/],
    'never where it cannot be': ['slots: {timeout: never}', /expected a period .*, got "never"/],
    'yes for true': ['storage: {sync: yes}', /:1: storage\.sync: expected true or false, got "yes"/],
    'too many workers': ['workers: 0', /:1: workers: /],
    'a range that is none': [
      'trusted_proxies: [localhost]',
      /trusted_proxies\[0\]: expected an address or range/,
    ],
    'a back-reference': ["access: [{jid: '(a)\\1'}]", /:1: access\[0\]\.jid: is not a valid pattern: .*RE2/],
    'a query in a URL': ['public_url: https://a/?b', /public_url: must end with the path: no \? and no #/],
    'a password in a URL': ['public_url: https://u:p@a', /public_url: must not contain a user or password/],
    'a path that servers spoil': ['public_url: https://a/%20', /public_url: its path may contain only/],
    'another protocol': ['public_url: ftp://a', /public_url: expected a URL such as https:/],
    'a path that leaves its place': ['slot_api: {path: /a/../b/}', /slot_api\.path: expected a path such as/],
    'a path without a slash before it': ['slot_api: {path: slot}', /slot_api\.path: expected a path such as/],
    'a media type that is none': [
      'downloads: {inline_types: [image]}',
      /inline_types\[0\]: expected a media type/,
    ],
    'a header that is none': [
      'downloads: {headers: {a b: x}}',
      /downloads\.headers\.a b: expected the name of a header/,
    ],
    'a header of the transfer': [
      'downloads: {headers: {ETag: x}}',
      /headers\.ETag: Porter sets this header itself/,
    ],
    'a header of two lines': [
      'downloads: {headers: {X-A: "a\\nb"}}',
      /headers\.X-A: expected the value of a header/,
    ],
    'an unknown purpose': [
      'retention: {purposes: {fun: {}}}',
      /valid keys: message, profile, ephemeral, permanent/,
    ],
    'a prefix for a purpose that is not offered': [
      'retention: {name_prefixes: {blog_: permanent}}',
      /name_prefixes\.blog_: the purpose permanent is not offered; add it to retention\.purposes/,
    ],
    'an unknown database': [
      'storage: {ledger: "mysql://x"}',
      /storage\.ledger: expected a file, or postgres/,
    ],
    'a lone percent sign in the password of a database': [
      'storage: {ledger: "postgres://porter:50%@db/porter"}',
      /storage\.ledger: a percent sign in its user, password or database must be written as %25/,
    ],
    'no connections to a database': [
      'storage: {ledger: "postgres://porter@db/porter?connections=0"}',
      /connections must be a number from 1 to 999/,
    ],
    'an unknown store': ['storage: {blobs: "gs://x"}', /storage\.blobs: expected a folder, or s3/],
    'an unknown option of a bucket': [
      'storage: {blobs: "s3://b?foo=1"}',
      /s3:\/\/ has no option "foo"; it has endpoint, /,
    ],
    'a lone percent sign in a bucket': [
      'storage: {blobs: "s3://b/50%"}',
      /percent sign in its path must be written/,
    ],
    'keys in the URL of a bucket': ['storage: {blobs: "s3://k:s@b/p"}', /the URL must not contain keys/],
    'one address twice': ['listen: [5050, 5050]', /:1: listen\[1\]: \*:5050 is listed twice/],
    'one component twice': [
      'public_url: https://a\ncomponent: [{jid: a.b, secret: s}, {jid: A.b, secret: s}]',
      /:2: component\[1\]\.jid: another component has the JID a\.b too/,
    ],
    'two endpoints at one path': [
      'external: {secret: s, path: /x/}\nfile_share: {secret: s, path: /x/y/}',
      /:2: file_share\.path: \/x\/y\/ and \/x\/ of external\.path overlap/,
    ],
    'an endpoint at the path of uploads': [
      'external: {secret: s, path: /put/}',
      /\/put\/ and \/put\/ of Porter itself overlap/,
    ],
    'limits for the denied': [
      'access: [{jid: a, deny: true, max_file_size: 5}]',
      /:1: access\[0\]\.deny: .* cannot have limits/,
    ],
    'half of TLS': ['tls: {cert: a.pem}', /:1: tls\.key: is missing/],
    'an admin with a resource': [
      'web: {admins: [admin@example.org/phone]}',
      /:1: web\.admins\[0\]: expected the JID of an account, such as admin@example\.org, got "admin@example\.org\/phone"/,
    ],
    'a domain as moderator': [
      'web: {moderators: [example.org]}',
      /web\.moderators\[0\]: expected the JID of an account/,
    ],
    'a contact without a scheme': [
      'web: {contact: abuse@example.org}',
      /web\.contact(?:\[0\])?: expected a URI such as mailto:abuse@example\.org/,
    ],
    'a page at the path of uploads': [
      'web: {path: /put/}',
      /:1: web\.path: \/put\/ and \/put\/ of Porter itself/,
    ],
    'links to nowhere': ['downloads: {via: webserver}', /downloads\.via: webserver needs download_url/],
  };

  for (const [what, [text, expected]] of Object.entries(single)) {
    test(`is reported for ${what} only`, () => {
      const found = listConfigProblems(text);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });
  }
});

describe('an unknown key', () => {
  test('is reported with the key that was probably meant', () => {
    assert.match(configProblemText('retention: {maxAge: 5d}'), /did you mean max_age\?/);
    assert.match(configProblemText('retention: {max-age: 5d}'), /did you mean max_age\?/);
    assert.match(configProblemText('Listen: 80'), /did you mean listen\?/);
    assert.match(configProblemText('acces: []'), /did you mean access\?/);
  });

  test('in the wrong section is reported with the right one', () => {
    assert.match(configProblemText('when_full: evict'), /it belongs in access\[\]/);
    assert.match(configProblemText('idle_timeout: 5'), /it belongs in uploads/);
    assert.match(configProblemText('purposes: {}'), /it belongs in retention/);
  });

  test('of another service is reported with its name in Porter', () => {
    assert.match(configProblemText('user_quota_hard: 5'), /in Porter it is access\[\]\.max_total_size/);
    assert.match(configProblemText('expire_maxage: 5'), /in Porter it is retention\.max_age/);
  });

  test('is reported with the known keys of a small section', () => {
    assert.match(configProblemText('slots: {banana: 1}'), /valid keys: timeout$/);
  });
});

describe('the environment', () => {
  const env = { NAME: 'example.org', PORT: '8080', EMPTY: '', YES: 'false', TRICK: '${NAME}' };

  test('fills in anywhere in a value, numbers and flags too', () => {
    const text = `public_url: https://upload.\${NAME}
listen: '\${PORT}'
storage: {sync: '\${YES}'}
access: [{jid: '@\${NAME}$', max_file_size: '\${PORT}'}]`;
    const config = parseTestConfig(text, { env });
    assert.equal(config.public_url, 'https://upload.example.org');
    assert.deepEqual(config.listen, [{ port: 8080 }]);
    assert.equal(config.storage.sync, false);
    assert.deepEqual(config.access[0]?.jid, ['@example.org$']);
    assert.equal(config.access[0]?.max_file_size, 8080);
  });

  test('is expanded once: its values are not expanded again', () => {
    assert.equal(parseTestConfig("external: {secret: '${TRICK}'}", { env }).external?.secret[0], '${NAME}');
  });

  test('is left alone by a doubled dollar sign, and by a lone one', () => {
    const secret = (text: string) =>
      parseTestConfig(`external: {secret: '${text}'}`, { env }).external?.secret[0];
    assert.equal(secret('a$${NAME}b'), 'a${NAME}b');
    assert.equal(secret('$NAME {} $ $$'), '$NAME {} $ $$');
  });

  test('without a needed variable is reported once, with the line', () => {
    assert.deepEqual(listConfigProblems("\nexternal:\n  secret: '${NOPE}'", { env }), [
      'porter.yml:3: external.secret: the environment variable NOPE is not set (needed for ${NOPE})',
    ]);
  });

  test('that holds nothing is no secret', () => {
    assert.match(
      configProblemText("external: {secret: '${EMPTY}'}", { env }),
      /external\.secret: expected a secret/,
    );
  });

  test('is not asked for words that are no names', () => {
    for (const text of ['${}', '${a b}', '${NAME', '${NAME:-x}']) {
      assert.match(
        configProblemText(`external: {secret: '${text}'}`, { env }),
        /must be followed by the name of a variable/,
        text,
      );
    }
  });
});

describe('warnings', () => {
  const warnings = (text: string) => parseTestConfig(text).warnings.join('\n');

  test('a component with the domain of the users', () => {
    const withJid = (jid: string, pattern: string) =>
      warnings(
        `{public_url: 'https://e.org', component: {jid: ${jid}, secret: ${'x'.repeat(16)}}, access: [{jid: '${pattern}'}]}`,
      );
    assert.match(withJid('e.org', '@e\\.org$'), /a domain of users.*Use upload\.e\.org/);
    assert.doesNotMatch(withJid('upload.e.org', '@e\\.org$'), /domain of users/);
    assert.doesNotMatch(withJid('e.org', '.*'), /domain of users/);
  });

  test('a file without access rules', () => assert.match(warnings(''), /all uploads are denied/));

  test('a public_url without TLS, unless it stays on this machine', () => {
    assert.match(warnings('public_url: http://example.org'), /public_url is http/);
    assert.doesNotMatch(warnings('public_url: http://127.0.0.1:5050'), /is http/);
    assert.doesNotMatch(warnings('public_url: https://example.org'), /is http/);
  });

  test('rules after one that matches all JIDs', () => {
    assert.match(warnings("access: [{jid: '.*'}, {jid: a}]"), /access\[0\] matches all JIDs/);
    assert.match(warnings("access: [{jid: ['b', '^.*$']}, {jid: a}]"), /access\[0\] matches all JIDs/);
    assert.doesNotMatch(warnings("access: [{jid: '@a$'}, {jid: '.*'}]"), /matches all JIDs/);
    assert.doesNotMatch(warnings("access: [{jid: '^a*$'}, {jid: b}]"), /matches all JIDs/);
  });

  test('patterns that no JID can match, because JIDs are lower case', () => {
    assert.match(warnings("access: [{jid: '^Admin@'}]"), /\^Admin@ has upper-case letters/);
    assert.doesNotMatch(warnings("access: [{jid: '^\\S+@\\pL[[:alpha:]]$'}]"), /upper-case letters/);
    assert.doesNotMatch(warnings("access: [{jid: '(?i)^Admin@'}]"), /upper-case letters/);
  });

  test('a slot API that is open to the world', () => {
    const open = 'slot_api: {allow_from: [0.0.0.0/0]';
    assert.match(warnings(`${open}}`), /anyone can upload as any user/);
    assert.doesNotMatch(warnings(`${open}, token: a-long-enough-token}`), /anybody can upload/);
  });

  test('a callback to which nothing can come', () => {
    const callback = 'messages: {callback_url: "http://127.0.0.1/"}';
    const component = 'public_url: https://u.lit\ncomponent: {jid: a.lit, secret: 0123456789abcdef}\n';
    assert.match(warnings(callback), /callback_url has no effect/);
    assert.doesNotMatch(warnings(component + callback), /callback_url/);
  });

  test('logins of accounts at any domain, and of none', () => {
    const internet = /accounts of every XMPP server on the internet can log in/;
    const none = /no account may log in/;
    assert.match(warnings('messages: {accounts: .*}'), internet);
    assert.match(warnings("messages: {accounts: ['@a\\.example$', '@']}"), internet);
    assert.doesNotMatch(warnings('messages: {accounts: .*, server: "xmpp.example:5222"}'), internet);
    assert.match(warnings("access: [{jid: '.*'}]\nmessages: {}"), none);
    for (const access of [
      "access: [{jid: '@a\\.example$'}]\n",
      'component: {jid: a.b, secret: 0123456789abcdef}\n',
    ]) {
      const text = warnings(`public_url: https://u.example\n${access}messages: {}`);
      assert.doesNotMatch(text, internet);
      assert.doesNotMatch(text, none);
    }
  });

  test('secrets that can be guessed, without telling them', () => {
    assert.match(warnings('external: {secret: hunter2}'), /external\.secret is shorter than 16/);
    assert.doesNotMatch(warnings('external: {secret: hunter2}'), /hunter2/);
  });
});
