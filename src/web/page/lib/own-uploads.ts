import { call } from './api.ts';
import { unfinishedUploads } from './unfinished-uploads.ts';
import { UploadQueue } from './upload-queue.ts';

/** The uploads of the signed-in user. They continue while another view is shown. */
export const ownUploads = new UploadQueue((file) => call('POST /slots', { body: file }), unfinishedUploads);
