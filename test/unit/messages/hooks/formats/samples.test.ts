import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorRow, Refusal } from '../../../../../src/base/errors.ts';
import {
  detectFormat,
  type HookFormatName,
  hookProgram,
  hookPrograms,
} from '../../../../../src/messages/hooks/formats/registry.ts';
import type { HookMessage } from '../../../../../src/messages/hooks/hook-message.ts';
import { allSamples, createEvent, NO_FIELDS, renderSample, type Sample } from '../sample-kit.ts';

const SAMPLES = allSamples();
const FORMATS = Object.keys(hookPrograms) as HookFormatName[];
const named = ({ format, name }: Sample) => `${format}/${name}`;

/** Formats whose texts may have styling, because people write them for a chat. */
const STYLED: readonly HookFormatName[] = ['slack', 'discord', 'teams', 'generic'];

/** Returns the message, undefined for a refusal with a 4xx or 501, and throws for any other error. */
function parseOrRefuse(format: HookFormatName, payload: unknown): HookMessage | undefined {
  try {
    return hookProgram(format).parse(createEvent(payload), { resolved: 'show', fields: NO_FIELDS });
  } catch (error) {
    assert.ok(error instanceof Refusal, `${format} failed: ${String(error)}`);
    assert.ok([400, 422, 501].includes(errorRow(error.code).http), `${format}: ${error.code}`);
    assert.ok(error.message.length > 5);
    return undefined;
  }
}

/** Replaces the values of a payload at random places. */
function mutate(value: unknown, at: () => boolean, replacement: () => unknown): unknown {
  if (at()) return replacement();
  if (Array.isArray(value)) return value.map((item) => mutate(item, at, replacement));
  if (!(value instanceof Object)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mutate(item, at, replacement)]));
}

function nest(depth: number, key: string): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { [key]: value };
  return value;
}

/** Values that no program sends there. */
const HOSTILE = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    -0,
    1e300,
    '',
    ' ',
    '\u0000\uD800',
    '*'.repeat(9000),
    '[]('.repeat(3000),
    '> '.repeat(3000),
    { toString: 1, valueOf: 2 },
    { length: 5 },
    Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`key${index}`, index])),
    Array.from({ length: 5000 }, () => ({ type: 'Container', items: [{}] })),
    JSON.parse('{"__proto__": {"x": 1}, "constructor": 5, "hasOwnProperty": 1}'),
    nest(5000, 'items'),
    nest(5000, 'elements'),
  ),
);

describe('The message of each sample', () => {
  for (const one of SAMPLES) {
    test(`of ${named(one)} is as expected, and auto finds its format`, () => {
      const { format, payload, headers, expected } = one;
      assert.equal(hookProgram(detectFormat(createEvent(payload, headers))), hookProgram(format));
      assert.equal(renderSample(format, payload, { headers })?.text, expected);
    });
  }

  test('has a sample for each program', () => {
    const withSample = new Set(SAMPLES.map(({ format }) => hookProgram(format)));
    assert.deepEqual(
      FORMATS.filter((format) => !withSample.has(hookProgram(format))),
      [],
    );
  });

  test('has no end of a problem if those are hidden', () => {
    const ends = ['gitlab/deployment', 'healthchecks/up-nested', 'sentry/issue-resolved', 'uptime-kuma/up'];
    const hidden = SAMPLES.filter(
      ({ format, payload, headers }) => !renderSample(format, payload, { headers, resolved: 'hide' }),
    );
    assert.deepEqual(hidden.map(named), ['alertmanager/resolved', ...ends]);
  });
});

describe('A hostile payload', () => {
  test('is formatted within bounds or refused with a reason, in every format', () => {
    const property = fc.property(
      fc.constantFrom(...SAMPLES),
      fc.constantFrom(...FORMATS),
      fc.infiniteStream(fc.integer({ min: 0, max: 7 })),
      fc.infiniteStream(HOSTILE),
      (one, other, dice, hostile) => {
        const at = () => dice.next().value === 0;
        const payload = mutate(one.payload, at, () => hostile.next().value);
        for (const format of [one.format, other]) {
          const message = parseOrRefuse(format, payload);
          assert.equal(typeof (message?.text ?? ''), 'string');
          for (const image of message?.images ?? []) assert.ok(URL.canParse(image));
        }
        detectFormat(createEvent(payload));
      },
    );
    fc.assert(property, { numRuns: 1500 });
  });

  test('of another type than an object is formatted or refused, in every format', () => {
    for (const format of FORMATS) {
      for (const payload of [null, true, 5, '', 'a text', [], [[]], {}, nest(50_000, 'a')]) {
        parseOrRefuse(format, payload);
      }
    }
  });

  test('cannot apply styling to the message', () => {
    const inject = (value: unknown): unknown => {
      if (typeof value === 'string') return /^https?:|^[a-z_]*$/.test(value) ? value : '*INJECTED* x';
      if (Array.isArray(value)) return value.map(inject);
      if (!(value instanceof Object)) return value;
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inject(item)]));
    };
    let shown = 0;
    for (const one of SAMPLES.filter(({ format }) => !STYLED.includes(format))) {
      const text = parseOrRefuse(one.format, inject(one.payload))?.text ?? '';
      if (text.includes('INJECTED')) shown += 1;
      assert.doesNotMatch(text, /(?:^|\s)\*INJECTED\*/m, named(one));
    }
    assert.ok(shown > 20);
  });
});
