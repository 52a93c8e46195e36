import { entriesAt, lineAt, listAt, textAt, timeAt, toOneLine } from '../../payload-fields.ts';
import { bold, escapeStyling, indent, joinLines } from '../../styling.ts';

/** An alert in the format of Alertmanager, which Grafana uses too. */
export interface Alert {
  readonly isResolved: boolean;
  readonly source: unknown;
}

/** Further alerts are only counted. */
const MAX_ALERTS = 20;

/** Returns the alerts to show, firing ones first. */
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
  const resolved = alerts.filter(({ isResolved }) => isResolved).length;
  const counts = [
    ['FIRING', alerts.length - resolved],
    ['RESOLVED', resolved],
  ] as const;
  const nonZero = counts.filter(([, count]) => count > 0);
  if (alerts.length === 1) return `[${nonZero[0]?.[0]}]`;
  return `[${nonZero.map(([word, count]) => `${word}:${count}`).join(', ')}]`;
}

/** Labels and annotations of all alerts. They are shown once, above the alerts. */
export interface SharedFields {
  readonly labels: readonly (readonly [string, string])[];
  readonly annotations: readonly (readonly [string, string])[];
}

/** A single alert has no shared fields. */
export function findSharedFields(payload: unknown, alerts: readonly Alert[]): SharedFields {
  if (alerts.length < 2) return { labels: [], annotations: [] };
  return {
    labels: entriesAt(payload, 'commonLabels'),
    annotations: entriesAt(payload, 'commonAnnotations'),
  };
}

/** Returns further lines of an alert, after labels, annotations and times. */
export type ExtraLines = (alert: unknown) => readonly string[];

/** Lists the alerts. `omitted` is the number of alerts that the sending program left out. */
export function formatAlertList(
  alerts: readonly Alert[],
  shared: SharedFields,
  extras: ExtraLines,
  omitted: number,
): string {
  if (alerts.length === 1 && alerts[0]) return joinLines(...formatDetails(alerts[0], shared, extras));
  const shown = alerts.slice(0, MAX_ALERTS).map((alert) => {
    const [headline = '', ...details] = formatDetails(alert, shared, extras);
    const status = alert.isResolved ? 'RESOLVED' : 'FIRING';
    return joinLines(`- ${status} ${headline}`, indent(joinLines(...details)));
  });
  const rest = alerts.length - shown.length + omitted;
  return joinLines(...shown, rest > 0 ? `… and ${rest} more` : '');
}

/** Formats the labels that are not shown elsewhere as one line. */
export function formatLabels(labels: readonly (readonly [string, string])[]): string {
  const visible = labels.filter(([name]) => name !== 'alertname' && !isHidden(name));
  return escapeStyling(toOneLine(visible.map(([name, value]) => `${name}=${value}`).join(' ')));
}

/** Formats annotations, the description of the problem first. */
export function formatAnnotations(annotations: readonly (readonly [string, string])[]): string[] {
  return annotations
    .filter(([name]) => !isHidden(name))
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([name, text]) => escapeStyling(rank(name) < DESCRIPTION_NAMES.length ? text : `${name}: ${text}`));
}

const DESCRIPTION_NAMES = ['summary', 'title', 'message', 'description'];

function rank(name: string): number {
  const index = DESCRIPTION_NAMES.indexOf(name);
  return index < 0 ? DESCRIPTION_NAMES.length : index;
}

/** Internal labels of Grafana. */
function isHidden(name: string): boolean {
  return /^__.*__$/.test(name);
}

function formatDetails({ source, isResolved }: Alert, shared: SharedFields, extras: ExtraLines): string[] {
  const labels = without(entriesAt(source, 'labels'), shared.labels);
  const annotations = without(entriesAt(source, 'annotations'), shared.annotations);
  const details = [...formatAnnotations(annotations), formatLabels(labels), formatTime(source, isResolved)];
  const texts = [...details, ...extras(source)].filter((line) => line !== '');
  const [headline, ...rest] = texts.flatMap((text) => text.split('\n'));
  return headline === undefined ? [bold(lineAt(source, 'labels', 'alertname'))] : [headline, ...rest];
}

function without(
  entries: readonly (readonly [string, string])[],
  shared: readonly (readonly [string, string])[],
): (readonly [string, string])[] {
  return entries.filter(([name, value]) => !shared.some(([other, text]) => other === name && text === value));
}

function formatTime(alert: unknown, isResolved: boolean): string {
  const start = timeAt(alert, 'startsAt');
  const end = timeAt(alert, 'endsAt');
  if (start === '') return '';
  return isResolved && end !== '' ? `from ${start} to ${end}` : `since ${start}`;
}

/** Returns the name of the alert group. */
export function formatGroupName(payload: unknown): string {
  const common = textAt(payload, 'commonLabels', 'alertname');
  const name = common === '' ? textAt(payload, 'groupLabels', 'alertname') : common;
  if (name !== '') return toOneLine(name);
  const labels = entriesAt(payload, 'groupLabels').map(([key, value]) => `${key}=${value}`);
  return toOneLine(labels.join(' '));
}
