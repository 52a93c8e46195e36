import { z } from 'zod';
import { internalPrefix } from './location-types.ts';
import { inherited, oneOrMany, optional, required, withDefault } from './options.ts';
import {
  bool,
  headerName,
  headerValue,
  integer,
  mediaRange,
  oneOf,
  pattern,
  period,
  periodOrNever,
  periodOrOff,
  size,
} from './value-types.ts';

const SECOND = 1000;
const DAY = 86_400 * SECOND;
const NO_ZERO = ' (to forbid uploads write `deny: true`, for no limit leave it out)';

/** XEP-0363 1.2.0 §7, in its order. */
export const PURPOSES = ['message', 'profile', 'ephemeral', 'permanent'] as const;
export type Purpose = (typeof PURPOSES)[number];

const ratePeriod = () =>
  required(period({ min: SECOND, max: 366 * DAY }), 'The length of the window that slides with the time.');

export const accessRuleSchema = z.strictObject({
  jid: required(
    oneOrMany(pattern()),
    'Patterns (RE2 syntax), one of which must be found in the bare JID. JIDs are in lower case.',
  ),
  deny: withDefault(bool(), false, 'Whom it matches may not upload.'),
  max_file_size: optional(size({ min: 1, hint: NO_ZERO }), 'no limit', 'The largest single file.'),
  max_total_size: optional(
    size({ min: 1, hint: NO_ZERO }),
    'no limit',
    'The hard quota: all that a user has here at one time, slots that wait for their upload included.',
  ),
  bytes_per: optional(
    z.strictObject({
      period: ratePeriod(),
      bytes: required(size({ min: 1, hint: NO_ZERO }), 'Bytes that a user may upload within it.'),
    }),
    'no limit',
    'Bytes within a time.',
  ),
  uploads_per: optional(
    z.strictObject({
      period: ratePeriod(),
      uploads: required(integer({ min: 1 }), 'Uploads that a user may start within it.'),
    }),
    'no limit',
    'Uploads within a time.',
  ),
  allowed_types: optional(
    z.array(mediaRange()).min(1, 'the list is empty: to forbid uploads write `deny: true`'),
    'all types',
    'Media types that may be uploaded.',
  ),
  when_full: withDefault(
    oneOf(['reject', 'evict']),
    'reject',
    'Over `max_total_size`: refuse the upload, or remove the oldest files of this user to make room.',
  ),
});

export const slotsSchema = z.strictObject({
  timeout: withDefault(
    period({ min: SECOND, max: 7 * DAY }),
    '360s',
    'An upload must start within this time of its slot; afterwards an unused slot gives its quota back.',
  ),
});

export const uploadsSchema = z.strictObject({
  type_mismatch: withDefault(
    oneOf(['refuse', 'accept']),
    'refuse',
    "What happens where an upload names another Content-Type than its slot. The slot's type is served either way.",
  ),
  idle_timeout: withDefault(
    period({ min: SECOND, max: DAY }),
    '60s',
    'An upload that stands still for so long is broken off. A slow one that moves may take as long as it likes.',
  ),
});

const purposeRule = z.strictObject({
  max_age: inherited(
    periodOrNever({ min: SECOND }),
    'as `retention.max_age`',
    'How long such files are kept.',
  ),
  max_file_size: optional(
    size({ min: 1 }),
    'no limit of its own',
    'The largest single file, if lower than the rule of the user.',
  ),
  max_total_size: optional(
    size({ min: 1 }),
    'no limit of its own',
    'All that a user has here for this purpose at one time.',
  ),
});

const purposeDocs: Record<Purpose, string> = {
  message: 'Files of conversations.',
  profile: 'Pictures of users and rooms.',
  ephemeral: 'Files that are meant to go soon, such as stories.',
  permanent: 'Files that are meant to stay, such as pictures of blog posts.',
};

const purposes = z
  .strictObject({
    message: inherited(purposeRule, 'not offered', purposeDocs.message),
    profile: inherited(purposeRule, 'not offered', purposeDocs.profile),
    ephemeral: inherited(purposeRule, 'not offered', purposeDocs.ephemeral),
    permanent: inherited(purposeRule, 'not offered', purposeDocs.permanent),
  })
  .transform((offered) => offered as Partial<Record<Purpose, z.output<typeof purposeRule>>>);

export const retentionSchema = z.strictObject({
  max_age: withDefault(periodOrNever({ min: SECOND }), '30d', 'How long a file is kept after its upload.'),
  soft_quota: withDefault(
    size(),
    0,
    'What a user keeps after a sweep: the oldest files beyond it go first. 0 = off. The room between it and ' +
      '`max_total_size` is what a user can upload from one sweep to the next.',
  ),
  sweep_every: withDefault(
    periodOrOff({ min: SECOND, max: 24 * DAY }),
    '1h',
    'How often the server removes what has expired. 0 = only `porter cleanup` does.',
  ),
  keep_records: withDefault(
    periodOrNever({ min: SECOND }),
    '365d',
    'How long `porter why` can tell what became of a removed file. Records that keep a signed link of `external` ' +
      'from being filled again stay for ever.',
  ),
  purposes: withDefault(
    purposes,
    {},
    'Purposes of XEP-0363 1.2.0 that clients may ask for. One that is not listed is not offered.',
  ),
  name_prefixes: withDefault(
    z.record(z.string().min(1, 'the prefix is empty'), oneOf(PURPOSES)),
    {},
    'Purposes by how the name of the file starts, for clients that cannot ask for one. For Movim: ' +
      '`{chat_: message, story_: ephemeral, blog_: permanent}`.',
  ),
});

export const downloadsSchema = z.strictObject({
  via: withDefault(
    oneOf(['self', 'x-accel-redirect', 'x-sendfile', 'webserver', 'presigned']),
    'self',
    'Who sends the bytes: Porter; the web server before it, told by a header; a web server alone, in which case ' +
      'links point at `download_url` and Porter refuses to serve files; or, with the files on S3, S3 itself: `presigned` ' +
      'answers a GET with a redirect to a link that holds for minutes.',
  ),
  internal_prefix: optional(
    internalPrefix(),
    '`/porter-blobs/` for x-accel-redirect, the folder of `storage.blobs` for x-sendfile',
    "What the header to the web server has before `ab/….jpg`: the path of nginx's internal location, or the folder as " +
      'Apache and lighttpd see it.',
  ),
  inline_types: withDefault(
    z.array(mediaRange()),
    ['image/*', 'video/*', 'audio/*', 'text/plain'],
    'Types that a browser may show instead of saving. HTML, SVG and other XML are never among them.',
  ),
  headers: withDefault(
    z.record(headerName(), headerValue()),
    {},
    'More headers for the answers to downloads.',
  ),
});

export const logSchema = z.strictObject({
  level: withDefault(
    oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'info',
    'The least that is logged.',
  ),
  format: withDefault(
    oneOf(['auto', 'json', 'pretty']),
    'auto',
    '`auto` is `pretty` on a terminal and `json` elsewhere.',
  ),
});
