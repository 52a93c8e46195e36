import { django } from './django.ts';
import type { Source } from './found.ts';
import { metronome, sharePhp } from './hashed.ts';
import { prosody } from './prosody.ts';
import { prosodyHttpUpload } from './prosody-http-upload.ts';
import { ejabberd, httpUploadComponent, prosodyFiler, tigase } from './trees.ts';
import { xmppHttpUpload } from './xmpp-http-upload.ts';

/** Every service whose files can be taken over, by the name that `porter import --from` takes. */
export const sources = {
  prosody,
  'prosody-http-upload': prosodyHttpUpload,
  ejabberd,
  'prosody-filer': prosodyFiler,
  'http-upload-component': httpUploadComponent,
  django,
  'xmpp-http-upload': xmppHttpUpload,
  'share-php': sharePhp,
  metronome,
  tigase,
} as const satisfies Record<string, Source>;

export type SourceName = keyof typeof sources;
