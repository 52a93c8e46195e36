import { Refusal } from '../../base/errors.ts';
import { alertList, alertsOf, countWord, groupName, labelLine, sharedOf, wordsOf } from './alerts.ts';
import type { Format } from './notice.ts';
import { lineAt, linkAt, sectionOf } from './read.ts';
import { lines, strong } from './styling.ts';

/** Prometheus Alertmanager's `webhook_config`, version 4. */
export const readAlertmanager: Format = ({ payload }, { resolved }) => {
  const group = sectionOf(payload, 'Alertmanager');
  const version = lineAt(group, 'version');
  if (version !== '4') {
    throw new Refusal('not_understood', {
      text: `This hook understands version 4 of Alertmanager's webhook, and not ${version === '' ? 'a payload without one' : `version ${version}`}.`,
    });
  }
  const alerts = alertsOf(group, resolved);
  if (alerts.length === 0) return undefined;
  const shared = sharedOf(group, alerts);
  const link = linkAt(group, 'externalURL');
  return {
    text: lines(
      strong(`${countWord(alerts)} ${groupName(group)}`.trim()),
      labelLine(shared.labels),
      ...wordsOf(shared.annotations),
      alertList(alerts, shared, () => [], Number(lineAt(group, 'truncatedAlerts')) || 0),
      link === '' ? '' : alertsPage(link, lineAt(group, 'receiver')),
    ),
    images: [],
  };
};

/** Where its web page lists the alerts of this receiver. */
function alertsPage(link: string, receiver: string): string {
  return `${link.replace(/\/+$/, '')}/#/alerts?receiver=${encodeURIComponent(receiver)}`;
}
