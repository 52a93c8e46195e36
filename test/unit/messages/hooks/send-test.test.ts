import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  detectFormat,
  type HookFormatName,
  hookPrograms,
} from '../../../../src/messages/hooks/formats/registry.ts';
import { testPayloadOf } from '../../../../src/messages/hooks/send-test.ts';
import { createEvent, NO_FIELDS, renderSample } from './sample-kit.ts';

describe('the test of a hook', () => {
  for (const format of Object.keys(hookPrograms) as HookFormatName[]) {
    test(`is a payload that ${format} could send, with the text of the test`, () => {
      const { payload, headers = {} } = testPayloadOf(format, NO_FIELDS);
      const { text = '' } = renderSample(format, payload, { headers }) ?? {};
      assert.match(text, /This is a test of this hook/);
      const detected = detectFormat(createEvent(payload, headers));
      assert.equal(hookPrograms[detected], hookPrograms[format]);
    });
  }

  test('has its text in the field that the hook reads', () => {
    for (const path of ['a.b', '/a/1/b', 'text']) {
      const fields = { ...NO_FIELDS, text: path };
      const { payload } = testPayloadOf('generic', fields);
      const { text } = renderSample('generic', payload, { fields }) ?? {};
      assert.match(text ?? '', /This is a test of this hook/, path);
    }
  });
});
