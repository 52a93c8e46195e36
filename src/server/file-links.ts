import type { Upload } from '../base/upload-records.ts';
import { createHostedLinks } from '../config/hosted-domains.ts';
import type { Config } from '../config/load.ts';
import { linkOfUpload } from '../uploads/links.ts';
import type { UploadServices } from '../uploads/services.ts';

/**
 * Returns a function that builds the download link of an upload, with the base URL of its owner's domain. It returns null if there is no
 * `public_url`, and for uploads with links that an XMPP server has signed.
 */
export function createLinkFormatter(
  services: Pick<UploadServices, 'rules'>,
  config: Config,
): (upload: Upload) => string | null {
  const links = createHostedLinks(config);
  return (upload) => {
    const base = links.forOwner(upload.owner).getBase;
    return base === null ? null : (linkOfUpload(services, base, upload) ?? null);
  };
}
