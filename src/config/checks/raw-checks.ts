import type { ConfigProblem } from '../config-error.ts';
import { type Complain, complainTo, type Lines } from './complain.ts';

type Section = Readonly<Record<string, unknown>>;

function sectionOf(value: unknown): Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Section) : {};
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/**
 * Checks which options must be given together. Reads the raw values of the file, so that these problems are reported together with
 * those of the schema.
 */
export function checkRawOptions(value: unknown, lines: Lines): ConfigProblem[] {
  const file = sectionOf(value);
  const problems: ConfigProblem[] = [];
  const complain = complainTo(problems, lines);

  const components = listOf(file.component).map(sectionOf);
  if (file.public_url === undefined && components.some(({ public_url }) => public_url === undefined)) {
    complain('component', 'needs public_url, which clients upload to', 'add public_url');
  }
  if (sectionOf(file.downloads).via === 'webserver' && file.download_url === undefined) {
    complain('downloads.via', 'webserver needs download_url, which the links point to');
  }
  checkDelivery(sectionOf(file.downloads), complain);
  checkPrefixes(sectionOf(file.retention), complain);
  return problems;
}

function checkDelivery({ via, internal_prefix }: Section, complain: Complain): void {
  if (internal_prefix === undefined || via === 'x-accel-redirect' || via === 'x-sendfile') return;
  complain('downloads.internal_prefix', 'only x-accel-redirect and x-sendfile use it', 'remove it');
}

function checkPrefixes(retention: Section, complain: Complain): void {
  const offered = Object.keys(sectionOf(retention.purposes));
  for (const [prefix, purpose] of Object.entries(sectionOf(retention.name_prefixes))) {
    // `message` is the purpose of all files without one, so it is always available.
    if (purpose === 'message' || typeof purpose !== 'string' || offered.includes(purpose)) continue;
    complain(
      `retention.name_prefixes.${prefix}`,
      `the purpose ${purpose} is not offered`,
      `add it to retention.purposes`,
    );
  }
}
