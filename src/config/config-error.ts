/** One problem of a config file. */
export interface ConfigProblem {
  /** From 1; 0 if the file cannot be read. */
  readonly line: number;
  /** The key path, such as `access[1].max_file_size`. Empty if the problem does not belong to a single key. */
  readonly key: string;
  /** The problem and the expected value. Never contains a secret. */
  readonly message: string;
  /** A suggestion for the fix. */
  readonly hint?: string;
}

/** A config that cannot be used, with all its problems. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[], cause?: unknown) {
    super(`${file} cannot be used`, { cause });
    this.name = 'ConfigError';
    this.file = file;
    this.problems = [...problems].sort((a, b) => a.line - b.line);
  }

  /** Formats the problems as lines `file:line: key: message`, which editors and terminals can open. */
  format(): string {
    return this.problems.map((problem) => formatProblem(this.file, problem)).join('\n');
  }
}

function formatProblem(file: string, { line, key, message, hint }: ConfigProblem): string {
  const position = line > 0 ? `${file}:${line}` : file;
  return `${position}: ${key === '' ? '' : `${key}: `}${message}${hint === undefined ? '' : `; ${hint}`}`;
}
