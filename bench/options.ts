import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** Words of which a case's name must hold one; none = all cases. */
  readonly filters: readonly string[];
  /** Seconds of one timed run, where a case runs by time. */
  readonly seconds: number;
  /** How often every server gets its turn. */
  readonly rounds: number;
  /** Where the figures go as JSON. */
  readonly json: string | undefined;
  /** Where the servers keep their files. */
  readonly folder: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

export const USAGE = `Usage: npm run bench -- [FILTER…] [--seconds N] [--rounds N] [--json FILE] [--dir FOLDER] [--list]

Times the built program against nginx, Prosody, ejabberd and Ceph's S3 on this machine and prints ratios.

  FILTER…      only cases whose name holds one of these words, e.g. "get", "slots", "memory"
  --seconds N  length of one timed run (default 3)
  --rounds N   turns of every server, one after the other (default 3)
  --json FILE  also write every figure there
  --dir FOLDER where all servers keep their files (default: /dev/shm where that has 12 GB free)
  --list       say which cases there are

Example: npm run bench -- get-small put --seconds 5
`;

/** Throws an `Error` whose message says what is wrong with the command line. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'string' },
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
    folder: values.dir,
    list: values.list,
    help: values.help,
  };
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error(`${name} must be a whole number above 0, not "${text}".`);
  return Number(text);
}
