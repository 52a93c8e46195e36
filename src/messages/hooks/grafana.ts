import {
  type Alert,
  alertList,
  alertsOf,
  countWord,
  groupName,
  labelLine,
  sharedOf,
  wordsOf,
} from './alerts.ts';
import { type Format, MAX_IMAGES, type Notice } from './notice.ts';
import { entriesAt, firstOf, lineAt, linkAt, listAt, oneLine, sectionOf, textAt } from './read.ts';
import { lines, plain, strong } from './styling.ts';

/** Grafana's webhook contact point: unified alerting (8 and later), and the alerts of panels before. */
export const readGrafana: Format = ({ payload }, { resolved }) => {
  const group = sectionOf(payload, 'Grafana');
  if (!Array.isArray((group as { alerts?: unknown }).alerts)) return readLegacy(group, resolved);
  const alerts = alertsOf(group, resolved);
  if (alerts.length === 0) return undefined;
  const images = alerts.map(({ source }) => linkAt(source, 'imageURL')).filter((link) => link !== '');
  return { text: textOf(group, alerts), images: [...new Set(images)].slice(0, MAX_IMAGES) };
};

/** Who has written a message template of their own in Grafana gets to see it. */
function textOf(group: unknown, alerts: readonly Alert[]): string {
  const message = textAt(group, 'message');
  if (message !== '' && !/^\*\*(?:Firing|Resolved)\*\*/.test(message)) {
    return lines(strong(lineAt(group, 'title')), plain(message));
  }
  const shared = sharedOf(group, alerts);
  const omitted = Number(lineAt(group, 'truncatedAlerts')) || 0;
  return lines(
    strong(`${countWord(alerts)} ${groupName(group)}`.trim()),
    labelLine(shared.labels),
    ...wordsOf(shared.annotations),
    alertList(alerts, shared, extrasOf, omitted),
  );
}

function extrasOf(alert: unknown): string[] {
  const values = entriesAt(alert, 'values').map(([name, value]) => `${name}=${value}`);
  const link = firstOf(
    linkAt(alert, 'panelURL'),
    linkAt(alert, 'dashboardURL'),
    linkAt(alert, 'generatorURL'),
  );
  return [plain(oneLine(values.join(' '))), link];
}

/** Up to Grafana 8: one rule of one panel. */
function readLegacy(rule: unknown, resolved: 'show' | 'hide'): Notice | undefined {
  if (resolved === 'hide' && lineAt(rule, 'state') === 'ok') return undefined;
  const matches = listAt(rule, 'evalMatches').slice(0, 20);
  const values = matches.map((match) => `${lineAt(match, 'metric')}: ${lineAt(match, 'value')}`);
  const image = linkAt(rule, 'imageUrl');
  return {
    text: lines(
      strong(firstOf(lineAt(rule, 'title'), lineAt(rule, 'ruleName'))),
      plain(textAt(rule, 'message')),
      ...values.map(plain),
      linkAt(rule, 'ruleUrl'),
    ),
    images: image === '' ? [] : [image],
  };
}
