import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { markdownToStyling } from '../../../../src/messages/hooks/markdown.ts';

describe('Markdown', () => {
  const CASES: Record<string, string> = {
    '**bold** and __bold__, *slanted*, _slanted_, ~~gone~~':
      '*bold* and *bold*, _slanted_, _slanted_, ~gone~',
    '**[both](https://a.example)**': '*both (https://a.example)*',
    '[a](https://a.example "title") ![graph](https://b.example/g.png) <https://c.example>':
      'a (https://a.example) graph (https://b.example/g.png) https://c.example',
    '[https://a.example](https://a.example)': 'https://a.example',
    '## A **bold** heading ##': '*A bold heading*',
    '* one\n  + two\n- three': '- one\n  - two\n- three',
    '`**code**` and\n```js\n**code**\n```\n**not**': '`**code**` and\n```js\n**code**\n```\n*not*',
    '2 * 3 * 4 and snake_case_name and a\\*b': '2 * 3 * 4 and snake_case_name and a*b',
    '> **quoted**': '> *quoted*',
    'text without marks': 'text without marks',
  };
  for (const [markdown, styled] of Object.entries(CASES)) {
    test(`becomes styling: ${markdown.slice(0, 40)}`, () =>
      assert.equal(markdownToStyling(markdown), styled));
  }

  test('of any form is converted in bounded time, and grows at most by its spaces', () => {
    const piece = fc.constantFrom(
      '*',
      '**',
      '_',
      '~~',
      '[',
      ']',
      '(',
      ')',
      '<',
      '`',
      '\\',
      ' ',
      '\n',
      'a',
      '#',
      '```',
    );
    const text = fc.array(piece, { maxLength: 3000 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, (markdown) => {
        assert.ok(markdownToStyling(markdown).length <= markdown.length * 2 + 10);
      }),
      { numRuns: 300 },
    );
    for (const mark of ['*', '**', '__', '[', '[](', '![', '<https://', '~~', '`', '\\', '# ']) {
      markdownToStyling(mark.repeat(8000 / mark.length));
    }
  });
});
