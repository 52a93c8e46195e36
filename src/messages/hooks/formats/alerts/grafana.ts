import { type HookFormat, type HookMessage, type HookProgram, selectImages } from '../../hook-message.ts';
import {
  entriesAt,
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  listAt,
  requirePayloadObject,
  textAt,
  toOneLine,
  valueAt,
} from '../../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../../styling.ts';
import {
  type Alert,
  findSharedFields,
  formatAlertCounts,
  formatAlertList,
  formatAnnotations,
  formatGroupName,
  formatLabels,
  parseAlerts,
} from './alert-list.ts';

const parse: HookFormat = ({ payload }, { resolved }) => {
  const group = requirePayloadObject(payload, 'Grafana');
  if (!Array.isArray((group as { alerts?: unknown }).alerts)) return parseLegacy(group, resolved);
  const alerts = parseAlerts(group, resolved);
  if (alerts.length === 0) return undefined;
  const images = alerts.map(({ source }) => linkAt(source, 'imageURL'));
  return { text: formatText(group, alerts), images: selectImages(images) };
};

/** Grafana's webhook contact point: unified alerting (since version 8), and the older alerts of panels. */
export const grafana: HookProgram = {
  parse,
  recognizes: ({ payload }) =>
    (hasFields(payload, 'alerts', 'receiver') &&
      (hasFields(payload, 'orgId') || valueAt(payload, 'version') === '1')) ||
    (hasFields(payload, 'ruleName') && (hasFields(payload, 'evalMatches') || hasFields(payload, 'ruleUrl'))),
};

/** Uses the message of Grafana only if it comes from a custom template. */
function formatText(group: unknown, alerts: readonly Alert[]): string {
  const message = textAt(group, 'message');
  if (message !== '' && !/^\*\*(?:Firing|Resolved)\*\*/.test(message)) {
    return joinLines(bold(lineAt(group, 'title')), escapeStyling(message));
  }
  const shared = findSharedFields(group, alerts);
  const omitted = Number(lineAt(group, 'truncatedAlerts')) || 0;
  return joinLines(
    bold(`${formatAlertCounts(alerts)} ${formatGroupName(group)}`.trim()),
    formatLabels(shared.labels),
    ...formatAnnotations(shared.annotations),
    formatAlertList(alerts, shared, extraLines, omitted),
  );
}

function extraLines(alert: unknown): string[] {
  const values = entriesAt(alert, 'values').map(([name, value]) => `${name}=${value}`);
  const link = firstNonEmpty(
    linkAt(alert, 'panelURL'),
    linkAt(alert, 'dashboardURL'),
    linkAt(alert, 'generatorURL'),
  );
  return [escapeStyling(toOneLine(values.join(' '))), link];
}

/** Before unified alerting: one rule of one panel. */
function parseLegacy(rule: unknown, resolved: 'show' | 'hide'): HookMessage | undefined {
  if (resolved === 'hide' && lineAt(rule, 'state') === 'ok') return undefined;
  const matches = listAt(rule, 'evalMatches').slice(0, 20);
  const values = matches.map((match) => `${lineAt(match, 'metric')}: ${lineAt(match, 'value')}`);
  const image = linkAt(rule, 'imageUrl');
  return {
    text: joinLines(
      bold(firstNonEmpty(lineAt(rule, 'title'), lineAt(rule, 'ruleName'))),
      escapeStyling(textAt(rule, 'message')),
      ...values.map(escapeStyling),
      linkAt(rule, 'ruleUrl'),
    ),
    images: image === '' ? [] : [image],
  };
}
