import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../../src/base/errors.ts';
import { renderSample, sample } from '../sample-kit.ts';

const text = (payload: unknown) => renderSample('slack', payload)?.text;

describe('A message for Slack', () => {
  test('keeps its styling and shows its links', () => {
    assert.equal(
      text({ text: '*b* _i_ ~s~ `c` <https://a.example|here> <https://a.example> &lt;x&gt; &amp;' }),
      '*b* _i_ ~s~ `c` here (https://a.example) https://a.example <x> &',
    );
    assert.equal(text({ text: '*b*', mrkdwn: false }), '·*b*');
    assert.equal(text({ text: '1 < 2 > 0 <romeo> a<b|c>' }), '1 < 2 > 0 <romeo> a<b|c>');
  });

  test('shows its mentions as text', () => {
    assert.equal(
      text({
        text: '<!here> <!channel> <@U1|juliet> <@U2> <#C1|general> <!subteam^S1|@ops> <mailto:a@b.c|a@b.c>',
      }),
      '@here @channel @juliet @U2 #general @ops a@b.c',
    );
  });

  test('shows attachments as quotes and returns username, channel and image', () => {
    const notice = renderSample('slack', sample('slack/attachment'));
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

  test('with a fallback only shows the fallback', () => {
    assert.equal(text({ attachments: [{ fallback: 'Build 1 failed', color: 'danger' }] }), 'Build 1 failed');
  });

  test('with blocks shows the text of the blocks', () => {
    const notice = renderSample('slack', sample('slack/blocks'));
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

  test('with unknown blocks shows its text', () => {
    assert.equal(text({ text: 'plain', blocks: [{ type: 'from_the_future' }, null, 3] }), 'plain');
  });

  test('of Matterbridge or mod_slack_webhooks consists of a text and a username', () => {
    const notice = renderSample('slack', sample('slack/matterbridge'));
    assert.equal(notice?.text, 'hello from the other side');
    assert.equal(notice?.username, '<romeo>');
  });

  test('without text is refused with the error of Slack', () => {
    for (const empty of [{}, { text: '' }, { text: '  ' }, { attachments: [{}] }, { blocks: [] }]) {
      assert.throws(
        () => renderSample('slack', empty),
        (error) => error instanceof Refusal && error.message === 'no_text',
      );
    }
    assert.throws(() => renderSample('slack', [1]), /expected a JSON object/);
  });

  test('with very deep nesting is cut', () => {
    let element: object = { type: 'rich_text_section', elements: [{ type: 'text', text: 'deep' }] };
    for (let depth = 0; depth < 1000; depth += 1) element = { type: 'rich_text_list', elements: [element] };
    assert.equal(
      text({ text: 'shallow', blocks: [{ type: 'rich_text', elements: [element] }] }),
      '- '.repeat(9),
    );
  });
});
