import { escapeStyling } from '../styling.ts';

/** A link or a mention; other angle brackets are somebody's who does not know that Slack escapes them. */
const MARKED = /<((?:[a-z][a-z0-9+.-]{0,30}:|[@#!])[^<>|\n]*)(?:\|([^<>\n]*))?>/gi;

/**
 * Slack's mrkdwn. Its bold, italic, strike, code and quotes are written as in XEP-0393; what is left to turn are
 * links, mentions and the three characters that it escapes.
 */
export function mrkdwnToStyling(text: string): string {
  const turned = text.replace(MARKED, (_all, target: string, label?: string) => turn(target, label ?? ''));
  return unescapeMrkdwn(turned);
}

/** `&`, `<` and `>` are all that Slack escapes. */
export function unescapeMrkdwn(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

function turn(target: string, label: string): string {
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
