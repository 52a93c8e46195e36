/** One thing that is wrong with a config file. */
export interface ConfigProblem {
  /** From 1; 0 where no line can be named (the file cannot be read). */
  readonly line: number;
  /** `access[1].max_file_size`; empty where no key is meant. */
  readonly key: string;
  /** What is wrong and what was expected. Never holds a secret. */
  readonly message: string;
  /** What was probably meant. */
  readonly hint?: string;
}

/** A config that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[], cause?: unknown) {
    super(`${file} cannot be used`, { cause });
    this.name = 'ConfigError';
    this.file = file;
    this.problems = [...problems].sort((a, b) => a.line - b.line);
  }

  /** Several lines for a person: `file:line: key: message`, as editors and terminals know to open them. */
  format(): string {
    return this.problems.map((problem) => formatProblem(this.file, problem)).join('\n');
  }
}

function formatProblem(file: string, { line, key, message, hint }: ConfigProblem): string {
  const place = line > 0 ? `${file}:${line}` : file;
  return `${place}: ${key === '' ? '' : `${key}: `}${message}${hint === undefined ? '' : `; ${hint}`}`;
}
