import { escapeStyling } from '../../styling.ts';

/** A link or a mention. Other angle brackets come from programs that do not escape them. */
const MARKED = /<((?:[a-z][a-z0-9+.-]{0,30}:|[@#!])[^<>|\n]*)(?:\|([^<>\n]*))?>/gi;

/**
 * Converts Slack's mrkdwn. Bold, italic, strike, code and quotes are the same in XEP-0393. Links, mentions and the
 * escaped characters are converted.
 */
export function mrkdwnToStyling(text: string): string {
  const converted = text.replace(MARKED, (_all, target: string, label?: string) =>
    convertMark(target, label ?? ''),
  );
  return unescapeMrkdwn(converted);
}

/** Slack escapes only `&`, `<` and `>`. */
function unescapeMrkdwn(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

function convertMark(target: string, label: string): string {
  if (target.startsWith('!')) return mention(target.slice(1), label);
  if (/^[@#]/.test(target)) return label === '' ? target : `${target[0]}${label.replace(/^[@#]/, '')}`;
  const link = target.replace(/^mailto:/, '');
  return label === '' || label === link || label === target ? link : `${label} (${link})`;
}

/** `<!here>`, `<!subteam^ID|@team>`, `<!date^…|then>` */
function mention(command: string, label: string): string {
  if (label !== '') return label;
  return /^(?:here|channel|everyone)$/.test(command) ? `@${command}` : escapeStyling(command);
}
