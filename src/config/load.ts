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
 * All options under the names of `porter.yml`, defaults filled in, sizes in bytes, periods in milliseconds, paths
 * absolute; null where an option is off or has no limit. Deeply frozen plain data.
 */
export type Config = DeepReadonly<
  ConfigOptions & {
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
  readonly file: string;
  /** As the file is called in messages; its path where nothing else is said. */
  readonly name?: string;
  /** Relative paths start here. */
  readonly folder: string;
  readonly env: Environment;
  /** Reads the files of `tls` too. Other users than that of the server may not be allowed to. */
  readonly checkFiles?: boolean;
}

/** As `loadConfig`, from text. Files of secrets are read at once. */
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

/** Checks which options must be given together. A section that is not valid YAML counts as given, and is not checked itself. */
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
  'No config file: everybody on this machine may upload, 100 MiB a file and 1 GiB in all. For more: porter init.';

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
): ConfigProblem[] {
  const key = keyPath(value, issue.path);
  const at = (place: string, message: string, hint?: string): ConfigProblem => ({
    line: findKeyLine(lines, place),
    key: place,
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
