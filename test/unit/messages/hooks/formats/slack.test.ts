import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../../src/base/errors.ts';
import { renderSample, sample } from '../format-sample.ts';

const text = (payload: unknown) => renderSample('slack', payload)?.text;

describe('a message for Slack', () => {
  test('keeps its styling, which is ours too, and has its links written out', () => {
    assert.equal(
      text({ text: '*b* _i_ ~s~ `c` <https://a.example|here> <https://a.example> &lt;x&gt; &amp;' }),
      '*b* _i_ ~s~ `c` here (https://a.example) https://a.example <x> &',
    );
    assert.equal(text({ text: '*b*', mrkdwn: false }), '·*b*');
    assert.equal(text({ text: '1 < 2 > 0 <romeo> a<b|c>' }), '1 < 2 > 0 <romeo> a<b|c>');
  });

  test('has its mentions as words', () => {
    assert.equal(
      text({
        text: '<!here> <!channel> <@U1|juliet> <@U2> <#C1|general> <!subteam^S1|@ops> <mailto:a@b.c|a@b.c>',
      }),
      '@here @channel @juliet @U2 #general @ops a@b.c',
    );
  });

  test('has attachments as quotes below it, and names its speaker, place and picture', () => {
    const notice = renderSample('slack', sample('slack-attachment'));
    assert.equal(
      notice?.text,
      `Build #1 (https://ci.example.org/1) & deploy of *web*
Result
> CI
> *Build 1*
> https://ci.example.org/1
> It _failed_ after 3 min
> *Branch:* main
> ci.example.org`,
    );
    assert.deepEqual(notice?.images, ['https://ci.example.org/graph.png']);
    assert.equal(notice?.username, 'ci-bot');
    assert.equal(notice?.channel, '#builds');
  });

  test('of nothing but a fallback is that', () => {
    assert.equal(text({ attachments: [{ fallback: 'Build 1 failed', color: 'danger' }] }), 'Build 1 failed');
  });

  test('made of blocks has their text, as far as text goes', () => {
    const notice = renderSample('slack', sample('slack-blocks'));
    assert.equal(
      notice?.text,
      `*New request*
*Type:* Paid time off (https://example.org/1)
*When:* Aug 10
2 ·*days*
---
Hello *there* 👋
- one
- two (https://example.org/2)
\`\`\`
code *here*
\`\`\`
by @juliet
a cat
Look: https://example.org/3`,
    );
    assert.deepEqual(notice?.images, ['https://example.org/cat.png']);
  });

  test('with blocks that nobody knows falls back to its text', () => {
    assert.equal(text({ text: 'plain', blocks: [{ type: 'from_the_future' }, null, 3] }), 'plain');
  });

  test('of Matterbridge or mod_slack_webhooks is a text and a name', () => {
    const notice = renderSample('slack', sample('matterbridge'));
    assert.equal(notice?.text, 'hello from the other side');
    assert.equal(notice?.username, '<romeo>');
  });

  test('without any text is refused as Slack does it', () => {
    for (const empty of [{}, { text: '' }, { text: '  ' }, { attachments: [{}] }, { blocks: [] }]) {
      assert.throws(
        () => renderSample('slack', empty),
        (error) => error instanceof Refusal && error.message === 'no_text',
      );
    }
    assert.throws(() => renderSample('slack', [1]), /expected a JSON object/);
  });

  test('nested without end ends', () => {
    let element: object = { type: 'rich_text_section', elements: [{ type: 'text', text: 'deep' }] };
    for (let depth = 0; depth < 1000; depth += 1) element = { type: 'rich_text_list', elements: [element] };
    assert.equal(
      text({ text: 'shallow', blocks: [{ type: 'rich_text', elements: [element] }] }),
      '- '.repeat(9),
    );
  });
});
