import type { ConfigProblem } from '../config-error.ts';
import { findKeyLine } from '../parse-yaml.ts';

/** Line numbers of the file by key path. */
export type Lines = Readonly<Record<string, number>>;

/** Reports a problem of the option with this key path. `hint`: a suggestion for the fix. */
export type Complain = (key: string, message: string, hint?: string) => void;

/** Returns a function that adds problems with their lines to a list. */
export function complainTo(problems: ConfigProblem[], lines: Lines): Complain {
  return (key, message, hint) =>
    problems.push({ line: findKeyLine(lines, key), key, message, ...(hint !== undefined && { hint }) });
}
