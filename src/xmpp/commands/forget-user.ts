import { formatCount, formatSize } from '../../base/units.ts';
import { hasData, readTotals, readUsage, resolveOwner } from '../../uploads/list.ts';
import { eraseOwner, isLargeRemoval } from '../../uploads/remove.ts';
import { type AdHocCommand, type AdHocContext, type AdHocReply, completed } from './ad-hoc-command.ts';
import { askForUser } from './user-stage.ts';
import { answerInTime, isConfirmed } from './words.ts';

const TITLE = 'Forget a user';

export const forgetUser: AdHocCommand = {
  node: 'forget-user',
  name: TITLE,
  role: 'admin',
  start: async () =>
    askForUser({ title: TITLE, execute: 'next' }, async (context, jid) =>
      askToConfirm(context, await resolveOwner(context.services, jid)),
    ),
};

async function askToConfirm(context: AdHocContext, owner: string, problem?: string): Promise<AdHocReply> {
  const { services } = context;
  const [{ uploads, bytes }, totals] = await Promise.all([readUsage(services, owner), readTotals(services)]);
  if (!(await hasData(services, owner))) return completed(`No files of ${owner} found.`, 'warn');
  const share = isLargeRemoval(uploads, totals.uploads)
    ? ` That is more than a tenth of all ${formatCount(totals.uploads, 'file')}.`
    : '';
  return {
    status: 'executing',
    problem,
    text: {
      title: TITLE,
      instructions:
        `This deletes ${formatCount(uploads, 'file')} of ${owner}, ${formatSize(bytes)}, and removes the JID from all records.${share} ` +
        'It cannot be undone.',
    },
    fields: [{ name: 'confirm', type: 'boolean', label: `Yes, forget ${owner}`, values: ['0'] }],
    actions: {
      complete: async (now, answers) =>
        isConfirmed(answers, 'confirm')
          ? forget(now, owner)
          : askToConfirm(now, owner, 'Nothing was deleted: tick the box to confirm.'),
    },
    execute: 'complete',
  };
}

async function forget(context: AdHocContext, owner: string): Promise<AdHocReply> {
  const { services, requester } = context;
  services.log.info({ by: requester }, 'an admin erases all data of an owner by a command');
  const work = eraseOwner(services, owner).then((removed) =>
    completed(`All data of ${owner} is removed: ${formatCount(removed, 'upload')}.`),
  );
  return answerInTime(context, work, `The data of ${owner} is being removed. This takes some time.`);
}
