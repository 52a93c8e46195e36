import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** The name of a case must contain one of these words; empty selects all cases. */
  readonly filters: readonly string[];
  /** Duration of one timed run, in seconds. */
  readonly seconds: number;
  /** The number of runs per server. */
  readonly rounds: number;
  /** The file for the results as JSON. */
  readonly json: string | undefined;
  /** The page into which the results are written. */
  readonly markdown: string | undefined;
  /** The parent folder for the files of all servers. */
  readonly folder: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

export const USAGE = `Usage: npm run bench -- [FILTER…] [--seconds N] [--rounds N] [--json FILE] [--markdown FILE] [--dir FOLDER] [--list]

Times the built program against nginx, Prosody, ejabberd and Ceph's S3 on this machine and prints ratios.

  FILTER…      only cases whose name contains one of these words, e.g. "get", "slots", "memory"
  --seconds N  duration of one timed run (default 3)
  --rounds N   number of runs per server (default 3)
  --json FILE  also write all results as JSON
  --markdown FILE
               also write all results into this page, for example docs/bench.md
  --dir FOLDER folder for the files of all servers (default: /dev/shm if it has 12 GB free)
  --list       list the cases

  FILER=PATH in the environment adds prosody-filer to the cases of files and of latency.

Example: npm run bench -- get-small put --seconds 5
`;

/** Parses the command line. Throws an `Error` with the reason if it is invalid. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      dir: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    filters: positionals,
    seconds: wholeNumber('--seconds', values.seconds),
    rounds: wholeNumber('--rounds', values.rounds),
    json: values.json,
    markdown: values.markdown,
    folder: values.dir,
    list: values.list,
    help: values.help,
  };
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error(`${name} must be a whole number above 0, not "${text}".`);
  return Number(text);
}
