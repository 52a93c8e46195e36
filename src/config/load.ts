import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { presenceProblems, settingProblems, warningsOf } from './checks.ts';
import { type Context, type Environment, expandEnvironment, readSecretFiles, reasonOf } from './expand.ts';
import { hintFor } from './hints.ts';
import { describe } from './kinds.ts';
import { ConfigError, type Problem } from './problems.ts';
import { type Settings, schema } from './schema.ts';
import { allPaths, fileKeys, structureAt } from './structure.ts';
import { childKey, keyPath, lineOfKey, readYaml } from './yaml.ts';

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/**
 * All options under the names of `porter.yml`, defaults filled in, sizes in bytes, periods in milliseconds, paths
 * absolute; null where an option is off or has no limit. Deeply frozen plain data.
 */
export type Config = DeepReadonly<
  Settings & {
    /** The absolute path of the file it was read from; null where there was none and the defaults for a trial hold. */
    file: string | null;
    /** Sentences about what may be meant but should be seen. */
    warnings: string[];
    /** Lines of the file by key path, such as `access[0].jid`. */
    lines: Record<string, number>;
  }
>;

/**
 * Reads and checks a config file. Throws a `ConfigError` with every problem at once. `name` is what messages call
 * the file.
 */
export async function loadConfig(
  file: string,
  env: Environment = process.env,
  name: string = file,
): Promise<Config> {
  const path = resolve(file);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new ConfigError(name, [{ line: 0, key: '', message: `cannot be read: ${reasonOf(error)}` }], error);
  });
  return parseConfig(text, { file: path, name, folder: dirname(path), env });
}

export interface ParseOptions {
  readonly file: string;
  /** As the file is called in messages; its path where nothing else is said. */
  readonly name?: string;
  /** Relative paths start here. */
  readonly folder: string;
  readonly env: Environment;
}

/** As `loadConfig`, from text. Files of secrets are read at once. */
export function parseConfig(text: string, options: ParseOptions): Config {
  const { file, folder, env } = options;
  const source = readYaml(text);
  const problems: Problem[] = [...source.problems];
  const context: Context = { lines: source.lines, folder, env, problems };
  const value = readSecretFiles(context, schema, expandEnvironment(context, source.value));
  const result = schema.safeParse(value);
  problems.push(
    ...(result.error?.issues ?? []).flatMap((issue) => problemsOf(issue, value, source.lines)),
    ...(Object.keys(source.lines).length > 0 ? presenceProblems(value, source.lines) : []),
    ...(result.data ? settingProblems(result.data, source.lines) : []),
  );
  if (problems.length > 0 || !result.data)
    throw new ConfigError(options.name ?? file, firstOfEachKey(problems));
  return finish(result.data, { file, folder, lines: source.lines });
}

/**
 * What `npm start` serves without any file: everyone on this machine may ask for slots, 100 MiB a file and 1 GiB in
 * all, kept in `data` of the current folder.
 */
export function defaultConfig(folder: string = process.cwd()): Config {
  const settings = schema.parse({
    slot_api: {},
    access: [{ jid: '.*', max_file_size: '100 MiB' }],
    global_quota: '1 GiB',
  });
  return finish(settings, { file: null, folder, lines: {} });
}

const TRIAL =
  'No config file: everybody on this machine may upload, 100 MiB a file and 1 GiB in all. For more: porter init.';

interface Origin {
  readonly file: string | null;
  readonly folder: string;
  readonly lines: Readonly<Record<string, number>>;
}

function finish(settings: Settings, { file, folder, lines }: Origin): Config {
  return deepFreeze({
    ...resolvePaths(settings, folder),
    file,
    warnings: file === null ? [TRIAL] : warningsOf(settings),
    lines: { ...lines },
  });
}

function resolvePaths(settings: Settings, folder: string): Settings {
  const { listen, tls, storage } = settings;
  const absolute = <T extends object>(place: T): T =>
    'path' in place && typeof place.path === 'string'
      ? { ...place, path: resolve(folder, place.path) }
      : place;
  return {
    ...settings,
    listen: listen.map(absolute),
    tls: tls && { cert: resolve(folder, tls.cert), key: resolve(folder, tls.key) },
    storage: { ...storage, blobs: absolute(storage.blobs), ledger: absolute(storage.ledger) },
  };
}

function problemsOf(
  issue: z.core.$ZodIssue,
  value: unknown,
  lines: Readonly<Record<string, number>>,
): Problem[] {
  const key = keyPath(value, issue.path);
  const at = (place: string, message: string, hint?: string): Problem => ({
    line: lineOfKey(lines, place),
    key: place,
    message,
    ...(hint !== undefined && { hint }),
  });
  if (issue.code === 'unrecognized_keys') {
    const structure = structureAt(schema, issue.path);
    const here = structure?.form === 'section' ? fileKeys(structure.keys) : [];
    return issue.keys.map((name) =>
      at(childKey(key, name), 'unknown key', hintFor(name, here, allPaths(schema))),
    );
  }
  if (issue.code === 'invalid_key') return [at(key, issue.issues[0]?.message ?? 'is no fitting key')];
  if (issue.code === 'invalid_type') return [at(key, misshapen(issue.expected, valueAt(value, issue.path)))];
  return [at(key, issue.message)];
}

const SHAPES: Readonly<Record<string, string>> = {
  object: 'a section (lines of `key: value` below it)',
  record: 'a section (lines of `key: value` below it)',
  array: 'a list (lines that begin with `-`, or […])',
};

function misshapen(expected: string, value: unknown): string {
  if (value === undefined) return 'is missing';
  return `expected ${SHAPES[expected] ?? expected}, got ${describe(value)}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((here, segment) => {
    if (typeof segment === 'number' && !Array.isArray(here)) return here;
    return (here as Record<PropertyKey, unknown> | undefined)?.[segment];
  }, value);
}

function firstOfEachKey(problems: readonly Problem[]): Problem[] {
  return problems.filter(
    (problem, place) =>
      problem.key === '' ||
      problems.findIndex((other) => other.key.replace(/_file$/, '') === problem.key.replace(/_file$/, '')) ===
        place,
  );
}

function deepFreeze<T>(value: T): DeepReadonly<T> {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value as DeepReadonly<T>;
}
