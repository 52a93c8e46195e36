import { formatMoment } from '../../base/clock.ts';
import { formatCount, formatPeriod, formatSize } from '../../base/units.ts';
import { maxAgeFor } from '../../policy/retention.ts';
import type { FormField } from '../../stanza/data-form.ts';
import { describeLimit, describeRule } from '../../uploads/explain/describe-limit.ts';
import { explainOwner, type OwnerExplanation } from '../../uploads/explain/explain-owner.ts';
import type { AdHocCommand, AdHocContext, AdHocReply } from './ad-hoc-command.ts';

export const myQuota: AdHocCommand = {
  node: 'my-quota',
  name: 'My quota',
  role: 'user',
  start: showQuota,
};

async function showQuota({ services, requester }: AdHocContext): Promise<AdHocReply> {
  const explanation = await explainOwner(services, requester);
  const now = services.clock();
  const { usage, decision, limits } = explanation;
  const used = `${formatCount(usage.uploads, 'file')}, ${formatSize(usage.bytes)}`;
  const answer = describeAnswer(explanation, now);
  const field = (name: string, label: string, value: string): FormField => ({
    name,
    type: 'text-single',
    label,
    values: [value],
  });
  return {
    status: 'completed',
    notes: [{ type: explanation.refusedNow === null ? 'info' : 'warn', text: `You have ${used}. ${answer}` }],
    form: {
      text: { title: 'My quota' },
      fields: [
        field('used', 'Used', used),
        ...(usage.pendingUploads === 0
          ? []
          : [field('slots', 'Reserved', `${formatSize(usage.pendingBytes)} for uploads in progress`)]),
        // A user does not see how much all users together have stored.
        ...limits
          .filter(({ limit }) => limit !== 'globalBytes')
          .map((limit, index) =>
            field(`limit-${index + 1}`, `Limit ${index + 1}`, describeLimit(limit, now)),
          ),
        ...(decision.allowed
          ? describeRule(decision.rule).map((line, index) =>
              field(`rule-${index + 1}`, `Rule ${index + 1}`, line),
            )
          : []),
        field('kept', 'Files are kept', describeRetention(maxAgeFor(services.rules().retention, ''))),
      ],
    },
  };
}

/** Says whether an upload would succeed now. */
function describeAnswer({ refusedNow }: OwnerExplanation, now: number): string {
  switch (refusedNow?.reason) {
    case undefined:
      return 'You can upload files now.';
    case 'denied':
      return 'You may not upload files here.';
    case 'moving':
      return 'You cannot upload files now: the files are being moved. Try again later.';
    case 'storage_full':
      return 'You cannot upload files now: the server has no space left.';
    case 'limit': {
      const { limit } = refusedNow;
      if (limit.limit !== 'globalBytes') return `You cannot upload files now: ${describeLimit(limit, now)}.`;
      const relief = limit.freesAt === null ? '' : ` There may be room ${formatMoment(limit.freesAt, now)}.`;
      return `You cannot upload files now: this service is full.${relief}`;
    }
  }
}

function describeRetention(maxAge: number | null): string {
  return maxAge === null ? 'until they are deleted' : formatPeriod(maxAge);
}
