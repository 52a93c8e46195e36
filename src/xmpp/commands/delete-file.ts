import { formatCount } from '../../base/units.ts';
import type { FormAnswers, FormOption } from '../../stanza/data-form.ts';
import { readFilePage } from '../../uploads/list.ts';
import { removeOwnTargets } from '../../uploads/remove-by-link.ts';
import {
  type AdHocCommand,
  type AdHocContext,
  type AdHocReply,
  type AdHocStep,
  completed,
} from './ad-hoc-command.ts';
import { FILES_PER_PAGE, titleOfFile } from './file-stages.ts';
import { answerLines, describeRemoved, describeTooManyLinks } from './words.ts';

export const deleteFile: AdHocCommand = {
  node: 'delete-file',
  name: 'Delete a file',
  role: 'user',
  start: (context) => showChoice(context, { before: [], chosen: [] }),
};

/** A page of the files to choose from. */
interface ChoicePosition {
  /** The last file of each page before this one. */
  readonly before: readonly string[];
  /** Ids of the files that were chosen on any page. */
  readonly chosen: readonly string[];
  readonly problem?: string;
}

async function showChoice(
  context: AdHocContext,
  { before, chosen, problem }: ChoicePosition,
): Promise<AdHocReply> {
  const { services, requester } = context;
  const { files, next } = await readFilePage(services, {
    owner: requester,
    after: before.at(-1),
    limit: FILES_PER_PAGE,
  });
  if (files.length === 0 && before.length === 0) return completed('You have no files.');
  const options = uniqueOptions(files.map((file) => ({ label: titleOfFile(file), value: file.id })));
  const ids = options.map(({ value }) => value);
  const withAnswers = (answers: FormAnswers) => mergeChoice(chosen, options, answers);
  const goTo =
    (place: readonly string[]): AdHocStep =>
    (now, answers) =>
      showChoice(now, { before: place, chosen: withAnswers(answers) });
  const elsewhere = chosen.filter((id) => !ids.includes(id)).length;
  return {
    status: 'executing',
    problem,
    text: {
      title: 'Delete a file',
      instructions: `Choose files, or paste their links. They are deleted at once, and their links stop working.${
        elsewhere === 0 ? '' : ` ${formatCount(elsewhere, 'file')} chosen on other pages.`
      }`,
    },
    fields: [
      {
        name: 'files',
        type: 'list-multi',
        label: 'Files, the latest first',
        options,
        values: chosen.filter((id) => ids.includes(id)),
      },
      { name: 'links', type: 'text-multi', label: 'Or links, one per line' },
    ],
    actions: {
      ...(before.length > 0 && { prev: goTo(before.slice(0, -1)) }),
      ...(next !== undefined && { next: goTo([...before, next]) }),
      complete: (now, answers) => deleteChosen(now, before, withAnswers(answers), answers),
    },
    execute: 'complete',
  };
}

/** Gajim 1.7 sends the label of a chosen option instead of its value, so no two labels are equal. */
function uniqueOptions(options: readonly FormOption[]): FormOption[] {
  const seen = new Map<string, number>();
  return options.map(({ label, value }) => {
    const count = (seen.get(label) ?? 0) + 1;
    seen.set(label, count);
    return { label: count === 1 ? label : `${label} (${count})`, value };
  });
}

function mergeChoice(
  chosen: readonly string[],
  options: readonly FormOption[],
  answers: FormAnswers,
): readonly string[] {
  const values = answers.get('files');
  if (values === undefined) return chosen;
  const others = chosen.filter((id) => !options.some(({ value }) => value === id));
  const here = options.filter(({ label, value }) => values.includes(value) || values.includes(label));
  return [...others, ...here.map(({ value }) => value)];
}

async function deleteChosen(
  context: AdHocContext,
  before: readonly string[],
  chosen: readonly string[],
  answers: FormAnswers,
): Promise<AdHocReply> {
  const links = answerLines(answers, 'links');
  const isNone = chosen.length + links.length === 0;
  const problem = isNone ? 'Nothing was deleted: no file is chosen.' : describeTooManyLinks(links);
  if (problem !== undefined) return showChoice(context, { before, chosen, problem });
  const found = await removeOwnTargets(context.services, context.requester, [...chosen, ...links]);
  return { status: 'completed', notes: describeRemoved(found, context.services.clock()) };
}
