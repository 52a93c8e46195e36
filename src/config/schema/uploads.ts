import * as z from 'zod';
import { internalPrefix, scannerAddress } from './location-types.ts';
import { inherited, oneOrMany, optional, required, withDefault } from './options.ts';
import {
  bool,
  headerName,
  headerValue,
  integer,
  mediaRange,
  mediaType,
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

/** The purposes of XEP-0363 1.2.0, section 7, in its order. */
export const PURPOSES = ['message', 'profile', 'ephemeral', 'permanent'] as const;
export type Purpose = (typeof PURPOSES)[number];

const ratePeriod = () =>
  required(period({ min: SECOND, max: 366 * DAY }), 'The length of the sliding window.');

export const accessRuleSchema = z.strictObject({
  jid: required(
    oneOrMany(pattern()),
    'Patterns (RE2 syntax), one of which must be found in the bare JID. JIDs are in lower case. `{domain}` stands for every ' +
      'domain that a component serves: `@{domain}$` matches all their users.',
  ),
  deny: withDefault(bool(), false, 'Denies uploads to matching JIDs.'),
  max_file_size: optional(size({ min: 1, hint: NO_ZERO }), 'no limit', 'The largest single file.'),
  max_total_size: optional(
    size({ min: 1, hint: NO_ZERO }),
    'no limit',
    'The hard quota: total bytes of a user, unused slots included.',
  ),
  max_files: optional(
    integer({ min: 1, hint: NO_ZERO }),
    'no limit',
    'The files of a user, unused slots included. Many small files use up the inodes of a disk, even if they have few bytes.',
  ),
  bytes_per: optional(
    z.strictObject({
      period: ratePeriod(),
      bytes: required(size({ min: 1, hint: NO_ZERO }), 'The bytes that a user may upload within the period.'),
    }),
    'no limit',
    'A rate limit in bytes.',
  ),
  uploads_per: optional(
    z.strictObject({
      period: ratePeriod(),
      uploads: required(integer({ min: 1 }), 'The uploads that a user may start within the period.'),
    }),
    'no limit',
    'A rate limit in uploads.',
  ),
  allowed_types: optional(
    z.array(mediaRange()).min(1, 'the list is empty: to forbid uploads write `deny: true`'),
    'all types',
    'Media types that may be uploaded.',
  ),
  when_full: withDefault(
    oneOf(['reject', 'evict']),
    'reject',
    'The action if an upload exceeds `max_total_size` or `max_files`: reject it, or delete the oldest files of this user.',
  ),
});

export const slotsSchema = z.strictObject({
  timeout: withDefault(
    period({ min: SECOND, max: 7 * DAY }),
    '360s',
    'An upload must start within this time after its slot was granted. After this time, an unused slot no longer counts towards the quota.',
  ),
});

const scanSchema = z.strictObject({
  clamd: required(
    scannerAddress(),
    'The address of clamd: `unix:/run/clamav/clamd.ctl` (Debian) or `tcp://127.0.0.1:3310`.',
  ),
  when_unavailable: withDefault(
    oneOf(['refuse', 'accept']),
    'refuse',
    'If clamd does not answer: refuse the upload with 503, or store it and mark it as not scanned.',
  ),
  max_size: withDefault(
    size({ min: 1 }),
    '100 MiB',
    'Larger files are not scanned. At most `StreamMaxLength` of `clamd.conf`, whose default is 100M.',
  ),
  when_larger: withDefault(
    oneOf(['refuse', 'accept']),
    'accept',
    'Files above `max_size`: refuse them with 413, or store them and mark them as not scanned.',
  ),
  timeout: withDefault(
    period({ min: SECOND, max: 3600 * SECOND }),
    '50s',
    'The longest time for a scan, including the wait for a free connection. After it, `when_unavailable` applies. Proxies wait 60 s for an answer.',
  ),
  connections: withDefault(
    integer({ min: 1, max: 1000 }),
    4,
    'Scans at a time, for each process. Further uploads wait, and senders take turns. At most `MaxThreads` of `clamd.conf` for all processes.',
  ),
  quarantine: withDefault(
    periodOrOff({ max: 3660 * DAY }),
    '30d',
    'How long the admin can examine or release an infected file. 0 = its bytes are deleted at once, as always with ' +
      '`downloads.via: webserver`.',
  ),
});

export const uploadsSchema = z.strictObject({
  type_mismatch: withDefault(
    oneOf(['refuse', 'accept']),
    'refuse',
    'Refuse or accept an upload whose Content-Type differs from that of its slot. Downloads have the type of the slot in both cases.',
  ),
  types: withDefault(
    z.record(
      z
        .string()
        .regex(
          /^[a-z0-9]{1,10}$/,
          'must be an extension: 1 to 10 lower-case letters and digits, without a dot',
        ),
      mediaType(),
    ),
    {},
    'Media types by file extension, for files without a declared type: links signed with `v`, imports, forms. For example ' +
      '`{xyz: chemical/x-xyz}`.',
  ),
  scan: optional(
    scanSchema,
    'off',
    'Scans every upload with ClamAV before it is stored (docs/scanning.md). End-to-end encrypted files cannot be scanned.',
  ),
  hash: withDefault(
    bool(),
    false,
    'Stores the SHA-256 of every upload, so that copies of a file are found when it is blocked. While any file is blocked, hashes are ' +
      'also computed with `false`.',
  ),
  resumable: withDefault(
    bool(),
    true,
    'Lets clients that support the IETF draft for resumable uploads resume an interrupted upload (docs/resumable-uploads.md). ' +
      'Plain uploads are not affected.',
  ),
  interim_responses: withDefault(
    oneOf(['auto', 'always']),
    'auto',
    '`auto`: the interim response `104`, from which clients learn how to resume, is sent only on direct connections. `always`: also ' +
      'through a reverse proxy. nginx breaks HTTP/2 uploads if it gets a `104` (docs/resumable-uploads.md).',
  ),
  idle_timeout: withDefault(
    period({ min: SECOND, max: DAY }),
    '60s',
    'An upload that receives no data for this long is aborted.',
  ),
  total_timeout: withDefault(
    period({ min: SECOND, max: 7 * DAY }),
    '1d',
    'An upload that is not complete after this time is aborted.',
  ),
});

const purposeRule = z.strictObject({
  max_age: inherited(
    periodOrNever({ min: SECOND }),
    'as `retention.max_age`',
    'How long files of this purpose are kept.',
  ),
  max_file_size: optional(
    size({ min: 1 }),
    'no separate limit',
    'The largest single file, if lower than the limit in `access`.',
  ),
  max_total_size: optional(size({ min: 1 }), 'no separate limit', 'Total bytes of a user for this purpose.'),
});

const purposeDocs: Record<Purpose, string> = {
  message: 'Files of conversations.',
  profile: 'Pictures of users and rooms.',
  ephemeral: 'Short-lived files, such as stories.',
  permanent: 'Permanent files, such as pictures of blog posts.',
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
    'The bytes that a user keeps after a sweep, which deletes the oldest files above it. 0 = off. Between two sweeps a user may have ' +
      'more, up to `max_total_size`.',
  ),
  sweep_every: withDefault(
    periodOrOff({ min: SECOND, max: 24 * DAY }),
    '1h',
    'How often the server deletes expired files. 0 = only `porter cleanup` does.',
  ),
  keep_records: withDefault(
    periodOrNever({ min: SECOND }),
    '365d',
    'How long `porter why` can explain the removal of a file. Records that prevent the ' +
      'reuse of a signed link of `external` are kept without limit.',
  ),
  trash: withDefault(
    periodOrOff({ max: 366 * DAY }),
    0,
    'How long a file can be restored after its owner or an admin has deleted it. It counts towards no quota. 0 = its bytes are ' +
      'deleted at once, as always with `downloads.via: webserver`.',
  ),
  purposes: withDefault(purposes, {}, 'The purposes (XEP-0363 1.2.0) that clients may request.'),
  name_prefixes: withDefault(
    z.record(z.string().min(1, 'the prefix is empty'), oneOf(PURPOSES)),
    {},
    'Purposes by the prefix of the file name, for clients that cannot request one. For Movim: ' +
      '`{chat_: message, story_: ephemeral, blog_: permanent}`.',
  ),
});

export const downloadsSchema = z.strictObject({
  via: withDefault(
    oneOf(['self', 'x-accel-redirect', 'x-sendfile', 'webserver', 'presigned']),
    'self',
    'The server that sends the files. `self`: Porter. `x-accel-redirect`, `x-sendfile`: the reverse proxy, by a header ' +
      'of Porter. `webserver`: a web server alone; links point to `download_url`, and Porter refuses to serve these files (docs/tls.md). ' +
      '`presigned`: S3; Porter answers a GET with a redirect to a link that is valid for minutes.',
  ),
  internal_prefix: optional(
    internalPrefix(),
    '`/porter-blobs/` for x-accel-redirect, the folder of `storage.blobs` for x-sendfile',
    "The prefix of `ab/….jpg` in the header to the web server: the path of nginx's internal location, or the path of the folder " +
      'for Apache or lighttpd.',
  ),
  inline_types: withDefault(
    z.array(mediaRange()),
    ['image/*', 'video/*', 'audio/*', 'text/plain'],
    'Types that browsers may display. Browsers always save HTML, SVG and other XML.',
  ),
  headers: withDefault(z.record(headerName(), headerValue()), {}, 'Additional headers of downloads.'),
});

export const logSchema = z.strictObject({
  level: withDefault(
    oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'info',
    'The lowest level that is logged.',
  ),
  format: withDefault(
    oneOf(['auto', 'json', 'pretty', 'journal']),
    'auto',
    '`json`: one object per line. `pretty`: text for a terminal. `journal`: text with the priority in front, for systemd. ' +
      '`auto`: `journal` if the output goes to the journal, `pretty` on a terminal, `json` elsewhere.',
  ),
});
