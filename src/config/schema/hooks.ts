import mustache from 'mustache';
import { z } from 'zod';
import { oneOrMany, optional, required, withDefault } from './options.ts';
import { tokenFields } from './tokens.ts';
import {
  bool,
  InvalidValueError,
  jid,
  nonEmptyText,
  oneOf,
  pattern,
  secret,
  size,
  valueType,
} from './value-types.ts';

const MAX_TEMPLATE = 16 * 1024;

/** Read once here, so that no mistake in one waits for the first alarm. */
function template() {
  return valueType({ type: 'Mustache template' }, 'a Mustache template', (value) => {
    if (typeof value !== 'string' || value.trim() === '') return undefined;
    if (value.length > MAX_TEMPLATE)
      throw new InvalidValueError(`must have at most ${MAX_TEMPLATE} characters`);
    try {
      mustache.parse(value);
      return value;
    } catch (error) {
      throw new InvalidValueError(
        `is no Mustache template: ${error instanceof Error ? error.message : 'it cannot be read'}`,
      );
    }
  });
}

const HOST = /^(?:\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/** `grafana.example.org`, `10.0.0.5:3000`, `[::1]:3000`, `*.example.org`, `*`. */
function imageHost() {
  const expected = 'a host such as grafana.example.org, 10.0.0.5:3000 or *.example.org';
  return valueType({ type: 'host, `host:port` or `*.domain`' }, expected, (value) => {
    const host = typeof value === 'string' ? value.trim().toLowerCase() : '';
    return HOST.test(host) ? host : undefined;
  });
}

const fieldPath = (what: string) =>
  optional(
    nonEmptyText(),
    'looked for by the usual names',
    `Where ${what} is: \`a.0.b\`, or a JSON pointer such as \`/a/0/b\`.`,
  );

const fields = z.strictObject({
  title: fieldPath('the title'),
  text: fieldPath('the text'),
  link: fieldPath('a link'),
  image: fieldPath('the URL of a picture'),
  username: fieldPath('the name of who speaks'),
});

const override = z.strictObject({
  to: withDefault(
    oneOrMany(pattern(), 0),
    [],
    "Patterns of bare JIDs that a request may name itself: `…/TOKEN/ROOM`, `?to=`, or `channel` of Slack's form.",
  ),
  username: withDefault(bool(), true, 'Whether the name that a request gives stands before its text.'),
});

export const hookSchema = z.strictObject({
  name: required(nonEmptyText(), 'What the log calls it.'),
  ...tokenFields,
  to: required(oneOrMany(jid()), 'Who gets its messages: users, or with `type: groupchat` rooms.'),
  type: withDefault(
    oneOf(['chat', 'groupchat', 'normal', 'headline']),
    'chat',
    'The type of its messages. To rooms it is `groupchat`, and the room is joined first.',
  ),
  nick: optional(nonEmptyText(), 'the local part of `from`', 'Its name in rooms.'),
  room_password: optional(secret(), 'none', 'For rooms that ask for one.'),
  format: withDefault(
    oneOf([
      'auto',
      'alertmanager',
      'grafana',
      'github',
      'gitea',
      'forgejo',
      'uptime-kuma',
      'slack',
      'generic',
    ]),
    'auto',
    'Which program posts here; `auto` looks at each request.',
  ),
  resolved: withDefault(
    oneOf(['show', 'hide']),
    'show',
    'Whether the end of an alert is told: of Alertmanager, Grafana and Uptime Kuma.',
  ),
  template: optional(
    template(),
    'a text made for each format',
    'A Mustache template of your own over the posted JSON; `{{{porter.text}}}` is the text that it takes the place of.',
  ),
  fields: withDefault(fields, {}, 'For `generic`: where its JSON has what.'),
  signature_secret: optional(
    secret(),
    'signatures are not looked at',
    'The secret by which GitHub, Gitea, Forgejo or Grafana sign requests; a request without their signature is refused.',
  ),
  override: withDefault(override, {}, 'What a request may decide itself.'),
  images_from: withDefault(
    oneOrMany(imageHost(), 0),
    [],
    'Hosts from which pictures that a payload names are fetched, stored and sent along. A host named in full may be ' +
      'an inner one; `*.domain` and `*` never lead to inner addresses.',
  ),
  max_image_size: withDefault(
    size({ min: 1024, max: 64 * 1024 * 1024 }),
    '5 MiB',
    'The largest of these; `max_file_size` of `from` holds too.',
  ),
});
