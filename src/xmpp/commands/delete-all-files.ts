import { formatCount, formatSize } from '../../base/units.ts';
import { readUsage } from '../../uploads/list.ts';
import { removeFilesOf } from '../../uploads/remove.ts';
import { type AdHocCommand, type AdHocContext, type AdHocReply, completed } from './ad-hoc-command.ts';
import { answerInTime, isConfirmed } from './words.ts';

export const deleteAllFiles: AdHocCommand = {
  node: 'delete-all-files',
  name: 'Delete all my files',
  role: 'user',
  start: (context) => askToConfirm(context),
};

async function askToConfirm(context: AdHocContext, problem?: string): Promise<AdHocReply> {
  const { uploads, bytes } = await readUsage(context.services, context.requester);
  if (uploads === 0) return completed('You have no files.');
  return {
    status: 'executing',
    problem,
    text: {
      title: 'Delete all my files',
      instructions: `This deletes ${formatCount(uploads, 'file')}, ${formatSize(bytes)}. Their links stop working.`,
    },
    fields: [{ name: 'confirm', type: 'boolean', label: 'Yes, delete all my files', values: ['0'] }],
    actions: {
      complete: async (now, answers) =>
        isConfirmed(answers, 'confirm')
          ? deleteAll(now)
          : askToConfirm(now, 'Nothing was deleted: tick the box to confirm.'),
    },
    execute: 'complete',
  };
}

async function deleteAll(context: AdHocContext): Promise<AdHocReply> {
  const { services, requester } = context;
  const request = { reason: 'deleted', detail: `deleted by ${requester}` } as const;
  const work = removeFilesOf(services, requester, request).then(({ removed }) =>
    completed(`All your files are deleted: ${formatCount(removed, 'file')}.`),
  );
  return answerInTime(context, work, 'Your files are being deleted. This takes some time.');
}
