import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bold, escapeStyling, indent, quote } from '../../../../src/messages/hooks/styling.ts';

const seen = (text: string) => text.replaceAll('\u2060', '·');

describe('Untrusted text in a styled message', () => {
  test('opens no span, quote or code block', () => {
    const calmed: Record<string, string> = {
      '*a* b': '·*a* b',
      'x _a_ ~b~ `c`': 'x ·_a_ ·~b~ ·`c`',
      '*_a_*': '·*_a_*',
      '> a': '·> a',
      '```\na\n```': '·```\na\n·```',
      '>> a': '·>> a',
    };
    for (const [text, expected] of Object.entries(calmed))
      assert.equal(seen(escapeStyling(text)), expected, text);
  });

  test('stays unchanged if it contains no styling', () => {
    const calm = [
      '*.example.org',
      'a * b * c',
      'snake_case_name',
      '2 > 1',
      'a*b*c',
      '- x',
      '/dev/sda*',
      'x ~ y',
      '',
    ];
    for (const text of calm) assert.equal(escapeStyling(text), text);
  });

  test('is either completely bold or not bold', () => {
    assert.equal(bold('Build 1'), '*Build 1*');
    assert.equal(bold('2 * 3'), '2 * 3');
    assert.equal(bold(''), '');
    assert.equal(seen(bold('_a_ b')), '*·_a_ b*');
  });

  test('stays inside its quote and list item', () => {
    assert.equal(seen(quote('a\n\n> b')), '> a\n>\n> ·> b');
    assert.equal(indent('a\n\nb'), '  a\n\n  b');
  });

  test('is escaped in linear time', () => {
    const long = ' *a'.repeat(200_000);
    assert.equal(escapeStyling(long).length > long.length, true);
  });
});
