import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { closestWord, editDistance } from '../../../src/config/key-hints.ts';
import { configSchema } from '../../../src/config/schema/config-schema.ts';
import { getStructure, listFileKeys, listKeyPaths } from '../../../src/config/schema/structure.ts';
import { listConfigProblems, parseTestConfig } from './parse-test-config.ts';

const word = fc.stringMatching(/^[a-z_]{1,12}$/);

describe('edit distance', () => {
  test('is nothing to itself, the same both ways, and never more than the longer word', () => {
    fc.assert(
      fc.property(word, word, (one, other) => {
        assert.equal(editDistance(one, one), 0);
        assert.equal(editDistance(one, other), editDistance(other, one));
        assert.ok(editDistance(one, other) <= Math.max(one.length, other.length));
        assert.ok(editDistance(one, other) >= Math.abs(one.length - other.length));
      }),
    );
  });

  test('counts a typing mistake as one', () => {
    assert.equal(editDistance('access', 'acess'), 1);
    assert.equal(editDistance('access', 'acecss'), 1);
    assert.equal(editDistance('access', 'axcess'), 1);
    assert.equal(editDistance('access', 'accesss'), 1);
    assert.equal(editDistance('kitten', 'sitting'), 3);
  });
});

describe('a key with one typing mistake', () => {
  const root = getStructure(configSchema);
  const keys = root.form === 'section' ? listFileKeys(root.keys) : [];
  const slip = fc
    .tuple(fc.constantFrom(...keys.filter((key) => key.length > 3)), fc.nat(), fc.nat(2))
    .map(([key, at, how]) => {
      const place = at % (key.length - 1);
      const [a = '', b = ''] = [key[place], key[place + 1]];
      const middle = [b, `${a}${a}${b}`, `${b}${a}`][how] ?? '';
      return { key, slipped: key.slice(0, place) + middle + key.slice(place + 2) };
    });

  test('is reported with the key that was meant', () => {
    fc.assert(
      fc.property(slip, ({ key, slipped }) => {
        fc.pre(!keys.includes(slipped));
        // Of two keys that are as near either may be named.
        const asNear = keys.filter((other) => editDistance(slipped, other) <= editDistance(slipped, key));
        const named = closestWord(slipped, keys);
        assert.ok(named !== undefined && asNear.includes(named), `${slipped}: ${named}`);
        assert.match(listConfigProblems(`${slipped}: 1`).join(), new RegExp(`did you mean ${named}\\?`));
      }),
    );
  });

  test('without a similar key gets no suggestion', () => {
    assert.equal(closestWord('xylophone', keys), undefined);
  });
});

describe('sizes and periods in a file', () => {
  test('mean the same however they are written', () => {
    const unit = fc.constantFrom(
      ['KiB', 1024] as const,
      ['MB', 1e6] as const,
      ['GiB', 2 ** 30] as const,
      ['', 1] as const,
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 }), unit, (count, [name, factor]) => {
        assert.equal(parseTestConfig(`global_quota: ${count} ${name}`).global_quota, count * factor);
        assert.equal(parseTestConfig(`global_quota: '${count}${name}'`).global_quota, count * factor);
      }),
    );
  });

  test('stay within their bounds, or are refused', () => {
    fc.assert(
      fc.property(fc.nat(2_000_000), (seconds) => {
        const text = `slots: {timeout: ${seconds}s}`;
        const fits = seconds >= 1 && seconds <= 7 * 86_400;
        assert.equal(listConfigProblems(text).length, fits ? 0 : 1);
        if (fits) assert.equal(parseTestConfig(text).slots.timeout, seconds * 1000);
      }),
    );
  });
});

describe('the environment', () => {
  test('leaves every value as it is whose opening braces are escaped', () => {
    const text = fc
      .string({ unit: fc.constantFrom('$', '{', '}', 'A', 'b', ' ', '@') })
      .map((raw) => `x${raw}x`);
    fc.assert(
      fc.property(text, (wanted) => {
        const escaped = wanted.split('${').join('$${');
        const config = parseTestConfig(stringify({ external: { secret: escaped } }), {
          env: { A: 'no', b: 'no' },
        });
        assert.deepEqual(config.external?.secret, [wanted]);
      }),
      { numRuns: 500 },
    );
  });
});

describe('any file', () => {
  const names = [
    ...new Set(listKeyPaths(configSchema).flatMap((path) => path.replaceAll('[]', '').split('.'))),
  ];
  const key = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: fc.string() },
  );
  const { tree } = fc.letrec((tie) => ({
    leaf: fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom('1h', '5 MB', '(', '/a/'),
    ),
    list: fc.array(tie('tree'), { maxLength: 3 }),
    section: fc.dictionary(key, tie('tree'), { maxKeys: 6 }),
    tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('section'), tie('list')),
  }));

  test('is parsed, or rejected with problems that have a line', () => {
    fc.assert(
      fc.property(fc.dictionary(key, tree, { maxKeys: 8 }), (value) => {
        for (const line of listConfigProblems(stringify(value)))
          assert.match(line, /^porter\.yml:[1-9]\d*: ./s);
      }),
      { numRuns: 300 },
    );
  });

  test('also if it is hardly YAML', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('a', ':', ' ', '\n', '-', '[', '{', '&', '*', '"', '\t', '?', '|', '!'),
        }),
        (text) => {
          listConfigProblems(text);
        },
      ),
      { numRuns: 500 },
    );
  });
});
