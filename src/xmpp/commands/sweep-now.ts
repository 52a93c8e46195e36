import { formatCount, formatSize } from '../../base/units.ts';
import { runSweep, type SweepReport } from '../../uploads/sweep.ts';
import { type AdHocCommand, type AdHocContext, type AdHocResult, completed } from './ad-hoc-command.ts';
import { answerInTime } from './words.ts';

export const sweepNow: AdHocCommand = {
  node: 'sweep-now',
  name: 'Sweep now',
  role: 'admin',
  start: (context) =>
    answerInTime(context, sweep(context), 'The sweep is running. The log has a line when it is done.'),
};

async function sweep({ services, requester }: AdHocContext): Promise<AdHocResult> {
  services.log.info({ by: requester }, 'an admin starts a sweep by a command');
  const { keepRecords } = services.adminRules();
  return describeSweep(await runSweep(services, { keepRecords }));
}

function describeSweep({ unused, expired, softQuota, bytes }: SweepReport): AdHocResult {
  return completed(
    `Removed ${formatCount(unused, 'unused slot')}, ${formatCount(expired, 'expired file')} and ${formatCount(softQuota, 'file')} above the soft quota. ` +
      `${formatSize(bytes)} freed.`,
  );
}
