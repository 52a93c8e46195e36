import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type * as z from 'zod';
import type { ConfigProblem } from './config-error.ts';
import { childKey, findKeyLine } from './parse-yaml.ts';
import { getStructure, isSecret } from './schema/structure.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment in which a config file is loaded, and the list that collects its problems. */
export interface LoadContext {
  readonly lines: Readonly<Record<string, number>>;
  /** The folder to which relative paths are relative. */
  readonly folder: string;
  readonly env: Environment;
  readonly problems: ConfigProblem[];
}

/** Replaces `${NAME}` in all texts by the environment variable, and `$${` by `${`. */
export function expandEnvironment(context: LoadContext, value: unknown, path: string = ''): unknown {
  if (typeof value === 'string') return expandText(context, value, path);
  if (Array.isArray(value))
    return value.map((item, index) => expandEnvironment(context, item, childKey(path, index)));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, expandEnvironment(context, item, childKey(path, key))]),
  );
}

function expandText(context: LoadContext, text: string, path: string): string {
  return text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, name: string | undefined, end: string) => {
    if (name === undefined) return '${';
    const problem = (message: string) => {
      context.problems.push({ line: findKeyLine(context.lines, path), key: path, message });
      return '';
    };
    if (end === '' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      return problem(
        'a dollar sign and { must be followed by the name of a variable and }; for a literal dollar sign, double it',
      );
    }
    const found = context.env[name];
    return found ?? problem(`the environment variable ${name} is not set (needed for ${whole})`);
  });
}

/** Replaces each `x_file` by the secret `x` with the content of that file. */
export function readSecretFiles(context: LoadContext, schema: z.ZodType, value: unknown, path = ''): unknown {
  const structure = getStructure(schema);
  if (structure.form === 'list') {
    if (!Array.isArray(value))
      return structure.orOne ? readSecretFiles(context, structure.item, value, path) : value;
    return value.map((item, index) => readSecretFiles(context, structure.item, item, childKey(path, index)));
  }
  if (structure.form !== 'section' || !isSection(value)) return value;
  const result: Record<string, unknown> = { ...value };
  for (const [key, inner] of Object.entries(structure.keys)) {
    if (isSecret(inner)) readSecret(context, result, key, path);
    else if (Object.hasOwn(result, key)) {
      result[key] = readSecretFiles(context, inner, result[key], childKey(path, key));
    }
  }
  return result;
}

function readSecret(context: LoadContext, section: Record<string, unknown>, key: string, path: string): void {
  const fileKey = `${key}_file`;
  const given = section[fileKey];
  if (given === undefined) return;
  delete section[fileKey];
  const name = childKey(path, fileKey);
  const complain = (message: string) =>
    context.problems.push({ line: findKeyLine(context.lines, name), key: name, message });
  if (section[key] !== undefined) {
    complain(`${key} is given too; remove one of them`);
    return;
  }
  section[key] = Array.isArray(given)
    ? given.map((file) => readSecretFile(context, file, complain))
    : readSecretFile(context, given, complain);
}

function readSecretFile(context: LoadContext, file: unknown, complain: (message: string) => void): string {
  // A placeholder, so that the schema reports no second problem for this key.
  const unread = 'unread';
  if (typeof file !== 'string') {
    complain('expected the path of a file');
    return unread;
  }
  try {
    const text = readFileSync(resolve(context.folder, file), 'utf8').replace(/\r?\n$/, '');
    if (text !== '') return text;
    complain(`${file} is empty`);
  } catch (error) {
    complain(`cannot read ${file}: ${fileErrorReason(error)}`);
  }
  return unread;
}

/** Explains in a few words why a file could not be read. */
export function fileErrorReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT') return 'the file does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  return code ?? String(error);
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
