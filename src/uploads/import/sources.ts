import { django } from './django.ts';
import { ejabberd, httpUploadComponent, prosodyFiler, tigase } from './link-trees.ts';
import { prosody } from './prosody.ts';
import { prosodyHttpUpload } from './prosody-http-upload.ts';
import { metronome, sharePhp } from './share-php.ts';
import type { ImportSource } from './source.ts';
import { xmppHttpUpload } from './xmpp-http-upload.ts';

/** All supported services, by the name that `porter import --from` accepts. */
export const importSources = {
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
} as const satisfies Record<string, ImportSource>;

export type ImportSourceName = keyof typeof importSources;
