import type { AdHocCommand } from './ad-hoc-command.ts';
import { showFiles } from './file-stages.ts';

export const myFiles: AdHocCommand = {
  node: 'my-files',
  name: 'My files',
  role: 'user',
  start: (context) => showFiles(context, { owner: context.requester, before: [] }),
};
