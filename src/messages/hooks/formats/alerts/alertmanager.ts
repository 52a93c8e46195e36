import { Refusal } from '../../../../base/errors.ts';
import type { HookFormat, HookProgram } from '../../hook-message.ts';
import { hasFields, lineAt, linkAt, requirePayloadObject } from '../../payload-fields.ts';
import { bold, joinLines } from '../../styling.ts';
import {
  findSharedFields,
  formatAlertCounts,
  formatAlertList,
  formatAnnotations,
  formatGroupName,
  formatLabels,
  parseAlerts,
} from './alert-list.ts';

const parse: HookFormat = ({ payload }, { resolved }) => {
  const group = requirePayloadObject(payload, 'Alertmanager');
  const version = lineAt(group, 'version');
  if (version !== '4') {
    throw new Refusal('not_understood', {
      text: `This hook supports version 4 of Alertmanager's webhook. The payload has ${version === '' ? 'no version' : `version ${version}`}.`,
    });
  }
  const alerts = parseAlerts(group, resolved);
  if (alerts.length === 0) return undefined;
  const shared = findSharedFields(group, alerts);
  const link = linkAt(group, 'externalURL');
  return {
    text: joinLines(
      bold(`${formatAlertCounts(alerts)} ${formatGroupName(group)}`.trim()),
      formatLabels(shared.labels),
      ...formatAnnotations(shared.annotations),
      formatAlertList(alerts, shared, () => [], Number(lineAt(group, 'truncatedAlerts')) || 0),
      link === '' ? '' : alertsPage(link, lineAt(group, 'receiver')),
    ),
    images: [],
  };
};

/** Prometheus Alertmanager's `webhook_config`, version 4. */
export const alertmanager: HookProgram = {
  parse,
  recognizes: ({ payload }) => hasFields(payload, 'alerts', 'receiver'),
};

/** URL of the web page that lists the alerts of this receiver. */
function alertsPage(link: string, receiver: string): string {
  return `${link.replace(/\/+$/, '')}/#/alerts?receiver=${encodeURIComponent(receiver)}`;
}
