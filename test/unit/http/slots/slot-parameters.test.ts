import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '../../../../src/base/errors.ts';
import { parseSizeParameter, parseSlotParameters } from '../../../../src/http/slots/slot-parameters.ts';
import { chooseSlotResponseType, formatSlot } from '../../../../src/http/slots/slot-response.ts';

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof Refusal && error.code === 'bad_request' && message.test(error.message);

describe('a size', () => {
  test('is plain digits above 0', () => {
    for (const size of [1, 10, 23456, Number.MAX_SAFE_INTEGER]) {
      assert.equal(parseSizeParameter(String(size)), size);
      assert.equal(parseSizeParameter(size), size);
    }
  });

  test('in any other spelling is refused, and never read as another number', () => {
    for (const size of [
      '0',
      '-1',
      '+5',
      '1.0',
      '1e3',
      '0x10',
      '007',
      ' 5',
      '5 ',
      '5\n',
      '1_000',
      '٣',
      '10 MB',
      'NaN',
      'Infinity',
      '9007199254740992',
      '99999999999999999999',
      0,
      -1,
      1.5,
      Number.NaN,
      2 ** 53,
      true,
      null,
      {},
      [],
    ]) {
      assert.throws(() => parseSizeParameter(size), refused(/"size" is not accepted/), String(size));
    }
  });

  test('that is missing or empty is reported as such', () => {
    assert.throws(() => parseSizeParameter(undefined), refused(/"size" is missing/));
    assert.throws(() => parseSizeParameter(''), refused(/"size" is empty/));
  });

  test('is exactly the number given, or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.integer().map(String), fc.bigInt().map(String)),
        (text: string) => {
          try {
            assert.equal(String(parseSizeParameter(text)), text);
          } catch (error) {
            assert.ok(error instanceof Refusal);
          }
        },
      ),
    );
  });
});

describe('the parameters of a slot', () => {
  const good = { jid: 'romeo@montague.tld', name: 'très cool.jpg', size: '23456' };

  test('are read under the names of ejabberd and of django-xmpp-http-upload', () => {
    const expected = { ...good, size: 23456, purpose: undefined };
    assert.deepEqual(parseSlotParameters(good), { ...expected, type: null });
    assert.deepEqual(parseSlotParameters({ ...good, type: 'image/png' }), { ...expected, type: 'image/png' });
    assert.deepEqual(parseSlotParameters({ ...good, content_type: 'image/png' }), {
      ...expected,
      type: 'image/png',
    });
    assert.deepEqual(parseSlotParameters({ ...good, content_type: '', type: 'a/b' }), {
      ...expected,
      type: 'a/b',
    });
    assert.deepEqual(parseSlotParameters({ ...good, purpose: 'profile' }), {
      ...expected,
      type: null,
      purpose: 'profile',
    });
  });

  test('count by their first value where one is repeated', () => {
    assert.equal(parseSlotParameters({ ...good, name: ['a.jpg', 'b.jpg'] }).name, 'a.jpg');
    assert.equal(parseSlotParameters({ ...good, size: ['7', '9999'] }).size, 7);
  });

  test('are named in the refusal if one is missing, empty or not text', () => {
    for (const name of ['jid', 'name', 'size']) {
      const { [name]: _, ...rest } = good as Record<string, string>;
      assert.throws(() => parseSlotParameters(rest), refused(new RegExp(`"${name}" is missing`)));
      assert.throws(
        () => parseSlotParameters({ ...good, [name]: '' }),
        refused(new RegExp(`"${name}" is empty`)),
      );
    }
    assert.throws(() => parseSlotParameters({ ...good, name: 5 }), refused(/"name" must be text/));
    assert.throws(() => parseSlotParameters({ ...good, jid: { a: 1 } }), refused(/"jid" must be text/));
    assert.throws(() => parseSlotParameters({ ...good, type: [[]] }), refused(/"type" must be text/));
  });

  test('are never taken from the object prototype', () => {
    assert.throws(() => parseSlotParameters({ name: 'a', size: '1' }), refused(/"jid" is missing/));
    assert.throws(() => parseSlotParameters(Object.create(good)), refused(/"jid" is missing/));
  });
});

describe('the output', () => {
  test('follows the parameter, whatever Accept contains', () => {
    for (const output of ['text/plain', 'application/json', 'application/xml'] as const) {
      assert.equal(chooseSlotResponseType(output, 'text/html'), output);
    }
    for (const output of ['text/html', 'json', 'TEXT/PLAIN', 'toString', '__proto__']) {
      assert.throws(
        () => chooseSlotResponseType(output, undefined),
        refused(/"output" must be one of/),
        output,
      );
    }
  });

  test('without a parameter follows Accept, and is plain text if no type matches', () => {
    for (const [accept, output] of [
      [undefined, 'text/plain'],
      ['', 'text/plain'],
      ['*/*', 'text/plain'],
      ['text/html', 'text/plain'],
      ['application/json', 'application/json'],
      ['application/json;q=0.5, text/xml', 'application/xml'],
      ['text/*;q=0.1, application/json;q=0.2', 'application/json'],
      ['application/json;q=0, text/plain;q=0.1', 'text/plain'],
      ['application/json;q=nonsense', 'text/plain'],
      ['constructor', 'text/plain'],
    ] as const) {
      assert.equal(chooseSlotResponseType(undefined, accept), output, String(accept));
    }
  });

  test('in plain text is two lines without a trailing newline', () => {
    assert.equal(
      formatSlot('text/plain', { put: 'https://a/p', get: 'https://a/g' }),
      'https://a/p\nhttps://a/g',
    );
  });
});
