import type { AdHocCommand } from './ad-hoc-command.ts';
import { deleteAllFiles } from './delete-all-files.ts';
import { deleteFile } from './delete-file.ts';
import { deleteLink } from './delete-link.ts';
import { forgetUser } from './forget-user.ts';
import { myFiles } from './my-files.ts';
import { myQuota } from './my-quota.ts';
import { statistics } from './statistics.ts';
import { sweepNow } from './sweep-now.ts';
import { userFiles } from './user-files.ts';

/** All commands, in the order in which clients list them. */
export const adHocCommands: readonly AdHocCommand[] = [
  myQuota,
  myFiles,
  deleteFile,
  deleteAllFiles,
  statistics,
  userFiles,
  deleteLink,
  forgetUser,
  sweepNow,
];
