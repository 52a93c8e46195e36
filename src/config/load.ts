import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type * as z from 'zod';
import { hostingWarnings } from './checks/hosting-checks.ts';
import { checkOptions, findTlsProblems } from './checks/option-checks.ts';
import { checkRawOptions } from './checks/raw-checks.ts';
import { findWarnings } from './checks/warnings.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import {
  type Environment,
  expandEnvironment,
  fileErrorReason,
  type LoadContext,
  readSecretFiles,
} from './environment-and-secrets.ts';
import { expandDomains } from './hosted-domains.ts';
import { hintFor } from './key-hints.ts';
import { childKey, findKeyLine, keyPath, parseYaml, type YamlSource } from './parse-yaml.ts';
import { type ConfigOptions, configSchema } from './schema/config-schema.ts';
import { listFileKeys, listKeyPaths, structureAt } from './schema/structure.ts';
import { describeValue } from './schema/value-types.ts';

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/**
 * All options, with the names of `porter.yml` and the defaults filled in. Sizes are in bytes, periods in milliseconds, and paths are
 * absolute. An option is null if it is off or has no limit. Plain data, deeply frozen.
 */
export type Config = DeepReadonly<
  ConfigOptions & {
    /** The absolute path of the config file. Null if there is no file: then the options are those of `defaultConfig`. */
    file: string | null;
    /** Warnings about valid but suspicious options, as sentences for the log and `porter check`. */
    warnings: string[];
    /** Line numbers of the file, from 1, by key path such as `access[0].jid`. */
    lines: Record<string, number>;
  }
>;

/** Reads and checks a config file. Throws a `ConfigError` with all problems. `name`: the name of the file in messages. */
export async function loadConfig(
  file: string,
  env: Environment = process.env,
  name: string = file,
  { checkFiles = false }: Pick<ParseOptions, 'checkFiles'> = {},
): Promise<Config> {
  const path = resolve(file);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new ConfigError(
      name,
      [{ line: 0, key: '', message: `cannot be read: ${fileErrorReason(error)}` }],
      error,
    );
  });
  return parseConfig(text, { file: path, name, folder: dirname(path), env, checkFiles });
}

export interface ParseOptions {
  /** The path of the file. */
  readonly file: string;
  /** The name of the file in messages. Default: `file`. */
  readonly name?: string;
  /** The folder to which relative paths are relative. */
  readonly folder: string;
  readonly env: Environment;
  /** Also loads the files of `tls`. Only the user of the server may have the permission to read them. Default: false. */
  readonly checkFiles?: boolean;
}

/** Parses and checks the text of a config file. Reads the files of secrets. Throws a `ConfigError` with all problems. */
export function parseConfig(text: string, options: ParseOptions): Config {
  const { file, folder, env, checkFiles = false } = options;
  const source = parseYaml(text);
  const problems: ConfigProblem[] = [...source.problems];
  const context: LoadContext = { lines: source.lines, folder, env, problems };
  const value = readSecretFiles(context, configSchema, expandEnvironment(context, source.value));
  const result = configSchema.safeParse(value);
  const valid = findValidSections(result, value, source.broken);
  problems.push(
    ...(result.error?.issues ?? []).flatMap((issue) => problemsOf(issue, value, source.lines)),
    ...checkRawSections(value, source),
    ...(valid ? checkOptions(valid.data, source.lines, valid.isValid) : []),
    ...(checkFiles && valid?.isValid('tls')
      ? findTlsProblems(resolvePaths(valid.data, folder).tls, source.lines)
      : []),
  );
  if (problems.length > 0 || !result.data)
    throw new ConfigError(options.name ?? file, firstOfEachKey(problems));
  return finish(result.data, { file, folder, lines: source.lines });
}

/** Checks which options must be given together. A section that is not valid YAML counts as given, but is not checked. */
function checkRawSections(value: unknown, { lines, broken }: YamlSource): ConfigProblem[] {
  if (Object.keys(lines).length === 0) return [];
  const given = Object.fromEntries([...broken].map((section) => [section, true]));
  const sections = broken.size === 0 ? value : { ...Object(value), ...given };
  return checkRawOptions(sections, lines).filter(({ key }) => !broken.has(/^\w+/.exec(key)?.[0] ?? ''));
}

interface ValidSections {
  /** Invalid sections have their defaults. */
  readonly data: ConfigOptions;
  readonly isValid: (section: string) => boolean;
}

/** Returns undefined if no section can be used. */
function findValidSections(
  result: z.ZodSafeParseResult<ConfigOptions>,
  value: unknown,
  broken: ReadonlySet<string>,
): ValidSections | undefined {
  const isReadable = (section: string) => !broken.has(section);
  if (result.success) return { data: result.data, isValid: isReadable };
  const invalid = new Set(
    result.error.issues.flatMap((issue) =>
      issue.path.length === 0 && issue.code === 'unrecognized_keys' ? issue.keys : [String(issue.path[0])],
    ),
  );
  const valid = Object.entries(value ?? {}).filter(([section]) => !invalid.has(section));
  const { data } = configSchema.safeParse(Object.fromEntries(valid));
  return data && { data, isValid: (section) => !invalid.has(section) && isReadable(section) };
}

/**
 * Returns the config that `npm start` uses without a file: any user on this machine may request slots, up to 100 MiB
 * per file and 1 GiB in total. Data is stored in `data` of the current folder.
 */
export function defaultConfig(folder: string = process.cwd()): Config {
  const settings = configSchema.parse({
    slot_api: {},
    access: [{ jid: '.*', max_file_size: '100 MiB' }],
    global_quota: '1 GiB',
  });
  return finish(settings, { file: null, folder, lines: {} });
}

const TRIAL =
  'No config file: any user of this machine may upload, up to 100 MiB per file and 1 GiB in total. To write a config, run: porter init.';

interface Origin {
  readonly file: string | null;
  readonly folder: string;
  readonly lines: Readonly<Record<string, number>>;
}

function finish(parsed: ConfigOptions, { file, folder, lines }: Origin): Config {
  const settings = withHostedDomains(parsed);
  return deepFreeze({
    ...resolvePaths(settings, folder),
    file,
    warnings: file === null ? [TRIAL] : [...findWarnings(settings), ...hostingWarnings(parsed)],
    lines: { ...lines },
  });
}

/** Replaces `{domain}` in the access rules. */
function withHostedDomains(settings: ConfigOptions): ConfigOptions {
  const { access, component } = settings;
  const expand = (pattern: string) => expandDomains(pattern, component);
  return { ...settings, access: access.map((rule) => ({ ...rule, jid: rule.jid.map(expand) })) };
}

function resolvePaths(settings: ConfigOptions, folder: string): ConfigOptions {
  const { listen, tls, storage } = settings;
  const absolute = <T extends object>(location: T): T =>
    'path' in location && typeof location.path === 'string'
      ? { ...location, path: resolve(folder, location.path) }
      : location;
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
): ConfigProblem[] {
  const key = keyPath(value, issue.path);
  const at = (path: string, message: string, hint?: string): ConfigProblem => ({
    line: findKeyLine(lines, path),
    key: path,
    message,
    ...(hint !== undefined && { hint }),
  });
  if (issue.code === 'unrecognized_keys') {
    const structure = structureAt(configSchema, issue.path);
    const here = structure?.form === 'section' ? listFileKeys(structure.keys) : [];
    return issue.keys.map((name) =>
      at(childKey(key, name), 'unknown key', hintFor(name, here, listKeyPaths(configSchema))),
    );
  }
  if (issue.code === 'invalid_key') return [at(key, issue.issues[0]?.message ?? 'is not a valid key')];
  if (issue.code === 'invalid_type')
    return [at(key, describeWrongType(issue.expected, valueAt(value, issue.path)))];
  return [at(key, issue.message)];
}

const SHAPES: Readonly<Record<string, string>> = {
  object: 'a section (lines of `key: value` below it)',
  record: 'a section (lines of `key: value` below it)',
  array: 'a list (lines that begin with `-`, or […])',
};

function describeWrongType(expected: string, value: unknown): string {
  if (value === undefined) return 'is missing';
  return `expected ${SHAPES[expected] ?? expected}, got ${describeValue(value)}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((here, segment) => {
    if (typeof segment === 'number' && !Array.isArray(here)) return here;
    return (here as Record<PropertyKey, unknown> | undefined)?.[segment];
  }, value);
}

function firstOfEachKey(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.filter(
    (problem, index) =>
      problem.key === '' ||
      problems.findIndex((other) => other.key.replace(/_file$/, '') === problem.key.replace(/_file$/, '')) ===
        index,
  );
}

function deepFreeze<T>(value: T): DeepReadonly<T> {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value as DeepReadonly<T>;
}
