import { resolveOwner } from '../../uploads/list.ts';
import type { AdHocCommand } from './ad-hoc-command.ts';
import { showFiles } from './file-stages.ts';
import { askForUser } from './user-stage.ts';

export const userFiles: AdHocCommand = {
  node: 'user-files',
  name: 'Files of a user',
  role: 'moderator',
  start: async () =>
    askForUser({ title: 'Files of a user', execute: 'next' }, async (context, jid) =>
      showFiles(context, { owner: await resolveOwner(context.services, jid), before: [] }),
    ),
};
