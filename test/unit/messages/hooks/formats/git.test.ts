import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { renderSample, sample } from '../format-sample.ts';

const text = (name: string, event?: string) =>
  renderSample('github', sample(name), event === undefined ? {} : { event })?.text;

describe('An event of GitHub, Gitea or Forgejo', () => {
  const EVENTS: Record<string, [string, string | undefined, string]> = {
    'a push': [
      'gitea-push',
      'push',
      `*[juliet/porter]* juliet pushed 2 commits to main
- bffeb742 Say ·*who* sends (juliet)
- 28e1879d Fix the balcony (romeo)
https://git.example.org/juliet/porter/compare/28e1879d...bffeb742`,
    ],
    'a new branch without commits': [
      'github-push-new-branch',
      'push',
      '*[octo/porter]* octo pushed try\nhttps://github.com/octo/porter/compare/try',
    ],
    'a new tag': ['gitea-create', 'create', '*[juliet/porter]* juliet created tag v1.0'],
    'a tag that goes': ['gitea-create', 'delete', '*[juliet/porter]* juliet deleted tag v1.0'],
    'an issue': [
      'github-issue',
      'issues',
      `*[octo/porter]* octo opened issue #1 Spelling ·*error* in README
> There is one.
> ·> on top
https://github.com/octo/porter/issues/1`,
    ],
    'a comment on a pull request': [
      'github-comment-on-pull',
      'issue_comment',
      `*[octo/porter]* octo commented on pull request #2 Fix it
> Thanks!
https://github.com/octo/porter/pull/2#issuecomment-1`,
    ],
    'a pull request that was merged': [
      'github-pull-merged',
      'pull_request',
      '*[octo/porter]* octo merged pull request #2 Fix it\nhttps://github.com/octo/porter/pull/2',
    ],
    'a review of Gitea': [
      'gitea-review',
      'pull_request_approved',
      `*[juliet/porter]* juliet approved pull request #12 Make it faster
> Good work
https://git.example.org/juliet/porter/pulls/12`,
    ],
    'a release': [
      'gitea-release',
      'release',
      `*[juliet/porter]* juliet published release One
> First release
https://git.example.org/juliet/porter/releases/tag/v1.0`,
    ],
    'a workflow': [
      'github-workflow',
      'workflow_run',
      '*[octo/porter]* workflow CI on main: failure\nhttps://github.com/octo/porter/actions/runs/1',
    ],
    'the try of a new hook': ['github-ping', 'ping', '*[octo/porter]* this hook works'],
    'one that we know nothing of': ['github-star', 'star', '*[octo/porter]* octo: star created'],
  };
  for (const [name, [payload, event, expected]] of Object.entries(EVENTS)) {
    test(`is described: ${name}`, () => assert.equal(text(payload, event), expected));
  }

  test('is also recognized without its header', () => {
    for (const [name, , expected] of Object.values(EVENTS)) {
      if (!/deleted tag|star/.test(expected)) assert.equal(text(name), expected);
    }
  });

  test('reports deleted and force-pushed branches', () => {
    const push = sample('gitea-push');
    const gone = { ...push, commits: [], after: '0'.repeat(40) };
    assert.match(renderSample('gitea', gone)?.text ?? '', /juliet deleted main$/);
    assert.match(renderSample('gitea', { ...push, forced: true })?.text ?? '', /force-pushed 2 commits/);
    assert.match(renderSample('gitea', { ...push, ref: 'refs/tags/v1' })?.text ?? '', /to tag v1\n/);
  });

  test('of a large push lists ten commits and counts the others', () => {
    const [commit] = sample('gitea-push').commits as unknown[];
    const push = { ...sample('gitea-push'), commits: Array(300).fill(commit), total_commits: 2000 };
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
