import { entriesAt, lineAt, listAt, textAt, timeAt, toOneLine } from '../payload-fields.ts';
import { bold, escapeStyling, indent, joinLines } from '../styling.ts';

/** One alert of Alertmanager's shape, which Grafana has too. */
export interface Alert {
  readonly isResolved: boolean;
  readonly source: unknown;
}

/** More than this nobody reads; the rest is counted. */
const MAX_ALERTS = 20;

/** The alerts of a payload that are to be shown, firing ones first. */
export function parseAlerts(payload: unknown, resolved: 'show' | 'hide'): Alert[] {
  const all = listAt(payload, 'alerts').map((source) => ({
    source,
    isResolved: lineAt(source, 'status') === 'resolved',
  }));
  const firing = all.filter(({ isResolved }) => !isResolved);
  return resolved === 'hide' ? firing : [...firing, ...all.filter(({ isResolved }) => isResolved)];
}

/** `[FIRING:2, RESOLVED:1]` */
export function formatAlertCounts(alerts: readonly Alert[]): string {
  const ended = alerts.filter(({ isResolved }) => isResolved).length;
  const counts = [
    ['FIRING', alerts.length - ended],
    ['RESOLVED', ended],
  ] as const;
  const some = counts.filter(([, count]) => count > 0);
  if (alerts.length === 1) return `[${some[0]?.[0]}]`;
  return `[${some.map(([word, count]) => `${word}:${count}`).join(', ')}]`;
}

/** Labels and annotations that all alerts share stand above them and not in each. */
export interface SharedFields {
  readonly labels: readonly (readonly [string, string])[];
  readonly annotations: readonly (readonly [string, string])[];
}

/** Of one alert nothing is shared: all of it is its own. */
export function findSharedFields(payload: unknown, alerts: readonly Alert[]): SharedFields {
  if (alerts.length < 2) return { labels: [], annotations: [] };
  return {
    labels: entriesAt(payload, 'commonLabels'),
    annotations: entriesAt(payload, 'commonAnnotations'),
  };
}

/** What an alert has besides labels, annotations and times. */
export type ExtraLines = (alert: unknown) => readonly string[];

/** All alerts, one below the other; `omitted` is how many the sender left out. */
export function formatAlertList(
  alerts: readonly Alert[],
  shared: SharedFields,
  extras: ExtraLines,
  omitted: number,
): string {
  if (alerts.length === 1 && alerts[0]) return joinLines(...detailsOf(alerts[0], shared, extras));
  const shown = alerts.slice(0, MAX_ALERTS).map((alert) => {
    const [headline = '', ...details] = detailsOf(alert, shared, extras);
    const status = alert.isResolved ? 'RESOLVED' : 'FIRING';
    return joinLines(`- ${status} ${headline}`, indent(joinLines(...details)));
  });
  const rest = alerts.length - shown.length + omitted;
  return joinLines(...shown, rest > 0 ? `… and ${rest} more` : '');
}

/** A line for the labels that are not shown elsewhere. */
export function formatLabels(labels: readonly (readonly [string, string])[]): string {
  const told = labels.filter(([name]) => name !== 'alertname' && !isHidden(name));
  return escapeStyling(toOneLine(told.map(([name, value]) => `${name}=${value}`).join(' ')));
}

/** The words for what is wrong, out of annotations. */
export function formatAnnotations(annotations: readonly (readonly [string, string])[]): string[] {
  return annotations
    .filter(([name]) => !isHidden(name))
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([name, text]) => escapeStyling(rank(name) < PROSE.length ? text : `${name}: ${text}`));
}

const PROSE = ['summary', 'title', 'message', 'description'];

function rank(name: string): number {
  const place = PROSE.indexOf(name);
  return place < 0 ? PROSE.length : place;
}

// Grafana's own.
function isHidden(name: string): boolean {
  return /^__.*__$/.test(name);
}

function detailsOf({ source, isResolved }: Alert, shared: SharedFields, extras: ExtraLines): string[] {
  const labels = without(entriesAt(source, 'labels'), shared.labels);
  const annotations = without(entriesAt(source, 'annotations'), shared.annotations);
  const details = [...formatAnnotations(annotations), formatLabels(labels), timeLine(source, isResolved)];
  const found = [...details, ...extras(source)].filter((line) => line !== '');
  const [headline, ...rest] = found.flatMap((text) => text.split('\n'));
  return headline === undefined ? [bold(lineAt(source, 'labels', 'alertname'))] : [headline, ...rest];
}

function without(
  own: readonly (readonly [string, string])[],
  shared: readonly (readonly [string, string])[],
): (readonly [string, string])[] {
  return own.filter(([name, value]) => !shared.some(([other, text]) => other === name && text === value));
}

function timeLine(alert: unknown, isResolved: boolean): string {
  const start = timeAt(alert, 'startsAt');
  const end = timeAt(alert, 'endsAt');
  if (start === '') return '';
  return isResolved && end !== '' ? `from ${start} to ${end}` : `since ${start}`;
}

/** What the whole group is called. */
export function formatGroupName(payload: unknown): string {
  const common = textAt(payload, 'commonLabels', 'alertname');
  const name = common === '' ? textAt(payload, 'groupLabels', 'alertname') : common;
  if (name !== '') return toOneLine(name);
  const labels = entriesAt(payload, 'groupLabels').map(([key, value]) => `${key}=${value}`);
  return toOneLine(labels.join(' '));
}
