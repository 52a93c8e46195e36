import { formatSize } from '../../base/units.ts';
import { describeEarlierRemoval, findTargets, removeTargets } from '../../uploads/remove-by-link.ts';
import type { AdHocCommand, AdHocContext, AdHocReply } from './ad-hoc-command.ts';
import { answerLines, describeRemoved, describeTooManyLinks, listNames } from './words.ts';

export const deleteLink: AdHocCommand = {
  node: 'delete-link',
  name: 'Delete files by their links',
  role: 'moderator',
  start: async () => askForLinks(),
};

function askForLinks(problem?: string): AdHocReply {
  return {
    status: 'executing',
    problem,
    text: { title: 'Delete files by their links', instructions: 'Links or ids of files, one per line.' },
    fields: [{ name: 'links', type: 'text-multi', label: 'Links', required: true }],
    actions: { next: (context, answers) => askToConfirm(context, answerLines(answers, 'links')) },
    execute: 'next',
  };
}

async function askToConfirm({ services }: AdHocContext, links: readonly string[]): Promise<AdHocReply> {
  const problem = links.length === 0 ? 'Enter at least one link.' : describeTooManyLinks(links);
  if (problem !== undefined) return askForLinks(problem);
  const { uploads, removedBefore, unknown } = await findTargets(services, links);
  const others = [
    ...removedBefore.map((record) => describeEarlierRemoval(record, services.clock())),
    ...(unknown.length === 0 ? [] : [`Not found: ${listNames(unknown)}.`]),
  ].join(' ');
  if (uploads.length === 0) return askForLinks(others);
  return {
    status: 'executing',
    problem: others === '' ? undefined : others,
    text: {
      title: 'Delete files by their links',
      instructions: 'These files are deleted, and their links stop working:',
    },
    fields: uploads.map(({ name, owner, size }) => ({
      type: 'fixed',
      values: [`${name} of ${owner}, ${formatSize(size)}`],
    })),
    actions: {
      prev: async () => askForLinks(),
      complete: (now) =>
        removeLinks(
          now,
          uploads.map(({ id }) => id),
        ),
    },
    execute: 'complete',
  };
}

async function removeLinks(
  { services, requester }: AdHocContext,
  ids: readonly string[],
): Promise<AdHocReply> {
  const found = await removeTargets(services, ids, `deleted by ${requester}`);
  return { status: 'completed', notes: describeRemoved(found, services.clock()) };
}
