import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allSamples, renderSample, sample } from '../sample-kit.ts';

describe('An event of GitHub, Gitea or Forgejo', () => {
  const git = allSamples().filter(({ format }) => ['github', 'gitea'].includes(format));

  test('is also recognized without its header', () => {
    for (const { format, name, payload, expected } of git.filter(({ name }) => name !== 'star')) {
      assert.equal(renderSample(format, payload)?.text, expected, name);
    }
  });

  test('tells by its header whether a tag is new', () => {
    const gone = renderSample('gitea', sample('gitea/create'), { event: 'delete' });
    assert.equal(gone?.text, '*[juliet/porter]* juliet deleted tag v1.0');
  });

  test('reports deleted and force-pushed branches', () => {
    const push = sample('gitea/push');
    const gone = { ...push, commits: [], after: '0'.repeat(40) };
    assert.match(renderSample('gitea', gone)?.text ?? '', /juliet deleted main$/);
    assert.match(renderSample('gitea', { ...push, forced: true })?.text ?? '', /force-pushed 2 commits/);
    assert.match(renderSample('gitea', { ...push, ref: 'refs/tags/v1' })?.text ?? '', /to tag v1\n/);
  });

  test('of a large push lists ten commits and counts the others', () => {
    const [commit] = sample('gitea/push').commits as unknown[];
    const push = { ...sample('gitea/push'), commits: Array(300).fill(commit), total_commits: 2000 };
    const lines = renderSample('gitea', push)?.text.split('\n') ?? [];
    assert.equal(lines.filter((line) => line.startsWith('- ')).length, 10);
    assert.ok(lines.includes('… and 1990 more'));
  });

  test('without the expected fields is described as far as possible', () => {
    assert.equal(renderSample('forgejo', {})?.text, '*[git]* somebody: did something');
    assert.match(
      renderSample('forgejo', { commits: [null, 7], ref: 3 })?.text ?? '',
      /somebody pushed 2 commits to 3/,
    );
    assert.match(renderSample('forgejo', { issue: {}, action: {} })?.text ?? '', /somebody changed issue #/);
  });
});
