import mustache from 'mustache';
import * as z from 'zod';
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

/** Parses the template at the start, so that a mistake is reported before the first alert. */
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
        `is not a Mustache template: ${error instanceof Error ? error.message : 'it cannot be read'}`,
      );
    }
  });
}

const HOST = /^(?:\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/** Parses a host such as `grafana.example.org`, `10.0.0.5:3000`, `[::1]:3000`, `*.example.org` or `*`. */
function imageHost() {
  const expected = 'a host such as grafana.example.org, 10.0.0.5:3000 or *.example.org';
  return valueType({ type: 'host, `host:port` or `*.domain`' }, expected, (value) => {
    const host = typeof value === 'string' ? value.trim().toLowerCase() : '';
    return HOST.test(host) ? host : undefined;
  });
}

const fieldPath = (field: string) =>
  optional(
    nonEmptyText(),
    'found by its usual names',
    `The path of ${field} in the JSON: \`a.0.b\`, or a JSON pointer such as \`/a/0/b\`.`,
  );

const fields = z.strictObject({
  title: fieldPath('the title'),
  text: fieldPath('the text'),
  link: fieldPath('a link'),
  image: fieldPath('the URL of a picture'),
  username: fieldPath('the name of the sender'),
});

const override = z.strictObject({
  to: withDefault(
    oneOrMany(pattern(), 0),
    [],
    "Patterns of bare JIDs that a request may choose as recipients: `…/TOKEN/ROOM`, `?to=`, or `channel` of Slack's form.",
  ),
  username: withDefault(bool(), true, 'Whether the text begins with the name that the request gives.'),
});

export const hookSchema = z.strictObject({
  name: required(nonEmptyText(), 'The name of the hook in the log.'),
  ...tokenFields,
  to: required(oneOrMany(jid()), 'The recipients of its messages: users, or rooms with `type: groupchat`.'),
  type: withDefault(
    oneOf(['chat', 'groupchat', 'normal', 'headline']),
    'chat',
    'The type of its messages. To rooms it is `groupchat`, and the room is joined first.',
  ),
  nick: optional(nonEmptyText(), 'the local part of `from`', 'The nickname of the hook in rooms.'),
  room_password: optional(secret(), 'none', 'For rooms with a password.'),
  format: withDefault(
    oneOf([
      'auto',
      'alertmanager',
      'grafana',
      'github',
      'gitea',
      'forgejo',
      'gitlab',
      'uptime-kuma',
      'healthchecks',
      'sentry',
      'sonarr',
      'radarr',
      'proxmox',
      'gotify',
      'ntfy',
      'teams',
      'discord',
      'slack',
      'generic',
    ]),
    'auto',
    'The format of the requests. `auto` detects it in each request.',
  ),
  resolved: withDefault(
    oneOf(['show', 'hide']),
    'show',
    'Whether to send a message when a problem ends: resolved alerts, monitors that are up again, pipelines that passed.',
  ),
  template: optional(
    template(),
    'the default text of each format',
    'A Mustache template over the posted JSON. `{{{porter.text}}}` is the default text.',
  ),
  fields: withDefault(fields, {}, 'For `generic`: the paths of its fields in the JSON.'),
  signature_secret: optional(
    secret(),
    'signatures are not checked',
    'The secret with which GitHub, Gitea, Forgejo, Grafana, GitLab or Sentry sign requests, or that GitLab sends as its secret ' +
      'token. A request without a valid signature or token is refused.',
  ),
  override: withDefault(override, {}, 'The values that a request may override.'),
  images_from: withDefault(
    oneOrMany(imageHost(), 0),
    [],
    'Hosts from which Porter fetches the images of a payload to store and send them. A full host name may resolve to a ' +
      'private address; `*.domain` and `*` may not.',
  ),
  max_image_size: withDefault(
    size({ min: 1024, max: 64 * 1024 * 1024 }),
    '5 MiB',
    'The largest image. The `max_file_size` of `from` applies too.',
  ),
});
