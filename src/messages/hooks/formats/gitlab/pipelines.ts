import { firstNonEmpty, lineAt, linkAt, listAt, textAt, toOneLine, valueAt } from '../../payload-fields.ts';
import { escapeStyling } from '../../styling.ts';

const MAX_JOBS = 10;

/** GitLab sends an event for each change of a status. Only ends are reported. */
const ENDS: Readonly<Record<string, string>> = {
  success: 'passed',
  failed: 'failed',
  canceled: 'was canceled',
};

type Resolved = 'show' | 'hide';

function endOf(status: string, resolved: Resolved): string | undefined {
  if (!Object.hasOwn(ENDS, status) || (resolved === 'hide' && status === 'success')) return undefined;
  return ENDS[status];
}

export function formatPipeline(event: unknown, actor: string, resolved: Resolved): string[] | undefined {
  const pipeline = valueAt(event, 'object_attributes');
  const end = endOf(lineAt(pipeline, 'status'), resolved);
  if (end === undefined) return undefined;
  const failed = listAt(event, 'builds').filter(
    (job) => valueAt(job, 'status') === 'failed' && valueAt(job, 'allow_failure') !== true,
  );
  const jobs = failed.slice(0, MAX_JOBS).map(formatFailedJob);
  const name = firstNonEmpty(lineAt(pipeline, 'name'), `pipeline #${lineAt(pipeline, 'id')}`);
  const [subject = ''] = textAt(event, 'commit', 'message').split('\n');
  const page = linkAt(
    { link: `${linkAt(event, 'project', 'web_url')}/-/pipelines/${lineAt(pipeline, 'id')}` },
    'link',
  );
  return [
    escapeStyling(
      toOneLine(
        `${name} on ${lineAt(pipeline, 'ref')} ${end}${durationOf(valueAt(pipeline, 'duration'))} (${actor})`,
      ),
    ),
    escapeStyling(toOneLine(subject)),
    ...jobs,
    failed.length > jobs.length ? `… and ${failed.length - jobs.length} more` : '',
    firstNonEmpty(linkAt(pipeline, 'url'), page),
  ];
}

/** `- test-build in test: script failure` */
function formatFailedJob(job: unknown): string {
  const reason = lineAt(job, 'failure_reason').replaceAll('_', ' ');
  const text = `${lineAt(job, 'name')} in ${lineAt(job, 'stage')}: ${firstNonEmpty(reason, 'failed')}`;
  return `- ${escapeStyling(toOneLine(text))}`;
}

/** A job, which the payload calls a build. */
export function formatJob(event: unknown, actor: string, resolved: Resolved): string[] | undefined {
  const end = endOf(lineAt(event, 'build_status'), resolved);
  if (end === undefined) return undefined;
  const reason = lineAt(event, 'build_failure_reason').replaceAll('_', ' ');
  const why = lineAt(event, 'build_status') === 'failed' && reason !== '' ? `: ${reason}` : '';
  const project = firstNonEmpty(linkAt(event, 'project', 'web_url'), linkAt(event, 'repository', 'homepage'));
  const job = `job ${lineAt(event, 'build_name')} in ${lineAt(event, 'build_stage')} on ${lineAt(event, 'ref')}`;
  return [
    escapeStyling(toOneLine(`${job} ${end}${durationOf(valueAt(event, 'build_duration'))}${why} (${actor})`)),
    project === '' ? '' : linkAt({ link: `${project}/-/jobs/${lineAt(event, 'build_id')}` }, 'link'),
  ];
}

export function formatDeployment(event: unknown, actor: string, resolved: Resolved): string[] | undefined {
  const status = lineAt(event, 'status');
  const end = status === 'running' ? 'started' : endOf(status, resolved);
  if (end === undefined) return undefined;
  const commit = `${lineAt(event, 'short_sha')} ${lineAt(event, 'commit_title')}`;
  return [
    escapeStyling(toOneLine(`deployment to ${lineAt(event, 'environment')} ${end} (${actor})`)),
    escapeStyling(toOneLine(commit)),
    linkAt(event, 'deployable_url'),
  ];
}

/** ` after 1 min 3 s`; empty if unknown. */
function durationOf(seconds: unknown): string {
  if (typeof seconds !== 'number' || !(seconds > 0) || seconds > 1e8) return '';
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  return minutes === 0 ? ` after ${whole} s` : ` after ${minutes} min ${whole % 60} s`;
}
