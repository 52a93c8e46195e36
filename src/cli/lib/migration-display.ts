import { formatSize } from '../../base/units.ts';
import type { MigrationObserver, MigrationProblem } from '../../uploads/migrate-storage/prepare.ts';
import type { CommandContext } from './command-context.ts';
import { type Progress, showProgress } from './progress.ts';

/** At most this many problems are listed; the report has the full count. */
const MAX_LISTED_PROBLEMS = 1000;

type Pass = Parameters<MigrationObserver['onPass']>[0];

/** Shows a progress bar per pass and collects problems. */
export class MigrationDisplay implements MigrationObserver {
  readonly problems: MigrationProblem[] = [];
  readonly #context: CommandContext;
  readonly #titles: Readonly<Record<Pass, string>>;
  #progress: Progress | undefined;

  /** `copied`: the word in the display for written files and rows, such as `copied` or `restored`. */
  constructor(context: CommandContext, copied: string) {
    this.#context = context;
    this.#titles = { copy: copied, close: `${copied}, closed`, verify: 'verified', compare: 'compared' };
  }

  onPass(pass: Pass, uploads: number): void {
    this.end();
    this.#progress = showProgress(this.#context, { title: this.#titles[pass], total: uploads });
  }

  onProgress(uploads: number, bytes: number): void {
    this.#progress?.update(uploads, `${formatSize(bytes)} copied`);
  }

  onProblem(problem: MigrationProblem): void {
    if (this.problems.length < MAX_LISTED_PROBLEMS) this.problems.push(problem);
  }

  end(): void {
    this.#progress?.end();
  }
}
