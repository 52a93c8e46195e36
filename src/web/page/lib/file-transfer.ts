import { ApiError } from './api.ts';

/** The part of a slot that an upload needs. */
export interface UploadSlot {
  readonly putUrl: string;
  readonly contentType: string;
  /** Absent for guests. */
  readonly getUrl?: string;
}

/** From this size in bytes on, an upload can be paused, and is resumed after a lost connection. */
const RESUMABLE_SIZE = 1024 * 1024;
/** Of draft-ietf-httpbis-resumable-upload. */
const VERSION = { 'Upload-Draft-Interop-Version': '8' };
const ACCEPT = { Accept: 'application/problem+json' };

interface SendOptions {
  readonly signal: AbortSignal;
  /** Called with the bytes that were sent. */
  onProgress(sentBytes: number): void;
}

/**
 * The transfer of one file to its slot. A browser does not show interim responses to a page, so a resumable upload begins without bytes:
 *
 *   PUT, Upload-Complete: ?0 ──> Location ──> PATCH with the file ──> 201
 *                                               │ interrupted           ▲
 *                                               └──> HEAD, Upload-Offset ──> PATCH with the rest
 *
 * If the server does not support that, the file is sent by one PUT.
 */
export class FileTransfer {
  readonly #slot: UploadSlot;
  readonly #file: File;
  #resource: string | undefined;
  #hasBegun: boolean;
  #keptForMs = 0;

  /** `resource`: the URL of the upload resource, if an earlier page has begun the upload. */
  constructor(slot: UploadSlot, file: File, resource?: string) {
    this.#slot = slot;
    this.#file = file;
    this.#resource = resource;
    this.#hasBegun = resource !== undefined;
  }

  /** True once the server keeps the bytes of an interrupted upload. */
  get canResume(): boolean {
    return this.#resource !== undefined;
  }

  /** The URL of the upload resource; undefined if the server keeps no bytes. */
  get resource(): string | undefined {
    return this.#resource;
  }

  /** How long the server keeps the bytes after the last one, ms. */
  get keptForMs(): number {
    return this.#keptForMs;
  }

  /** Sends the bytes that the server does not have yet. Throws `ApiError` with the text of the server. */
  async send(options: SendOptions): Promise<void> {
    const offset = this.#hasBegun ? await this.readOffset(options.signal) : 0;
    if (this.#resource === undefined && this.#file.size >= RESUMABLE_SIZE) await this.#begin(options.signal);
    await (this.#resource === undefined ? this.#sendWhole(options) : this.#sendRest(offset, options));
  }

  /** Tells the server to delete the bytes that it has. */
  cancel(): void {
    if (this.#resource !== undefined) deleteResource(this.#resource);
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { putUrl, contentType } = this.#slot;
    const length = { 'Upload-Complete': '?0', 'Upload-Length': String(this.#file.size) };
    const request = await send(
      'PUT',
      putUrl,
      { ...VERSION, ...length, 'Content-Type': contentType },
      { signal },
    );
    const location = request.getResponseHeader('Location');
    if (request.status !== 201 || location === null) return;
    this.#resource = new URL(location, new URL(putUrl, document.baseURI)).href;
    this.#keptForMs = readMaxAge(request);
  }

  /** Returns the number of bytes that the server has; 0 if it has deleted them, so that the upload must begin again. */
  async readOffset(signal: AbortSignal): Promise<number> {
    if (this.#resource === undefined) return 0;
    const request = await send('HEAD', this.#resource, VERSION, { signal });
    const offset = Number(request.getResponseHeader('Upload-Offset') ?? Number.NaN);
    if (request.status < 300 && Number.isInteger(offset)) {
      this.#keptForMs = readMaxAge(request);
      return offset;
    }
    if (request.status >= 500) throw toUploadError(request);
    this.#resource = undefined;
    return 0;
  }

  async #sendRest(offset: number, { signal, onProgress }: SendOptions): Promise<void> {
    this.#hasBegun = true;
    const headers = { ...VERSION, 'Upload-Offset': String(offset), 'Upload-Complete': '?1' };
    onProgress(offset);
    const request = await send(
      'PATCH',
      this.#resource ?? '',
      { ...headers, ...ACCEPT, 'Content-Type': 'application/partial-upload' },
      { signal, body: this.#file.slice(offset), onProgress: (sent) => onProgress(offset + sent) },
    );
    if (request.status !== 201) throw toUploadError(request);
  }

  async #sendWhole({ signal, onProgress }: SendOptions): Promise<void> {
    const { putUrl, contentType } = this.#slot;
    const body = { body: this.#file, onProgress };
    const request = await send(
      'PUT',
      putUrl,
      { ...ACCEPT, 'Content-Type': contentType },
      { signal, ...body },
    );
    if (request.status !== 201) throw toUploadError(request);
  }
}

/** Tells the server to delete the bytes of an unfinished upload. */
export function deleteResource(resource: string): void {
  void fetch(resource, { method: 'DELETE', keepalive: true }).catch(() => {});
}

/** Returns `max-age` of `Upload-Limit` in ms. */
function readMaxAge(request: XMLHttpRequest): number {
  const seconds = /\bmax-age=(\d+)/.exec(request.getResponseHeader('Upload-Limit') ?? '')?.[1];
  return Number(seconds ?? 0) * 1000;
}

interface RequestOptions {
  readonly signal: AbortSignal;
  readonly body?: Blob;
  onProgress?(sentBytes: number): void;
}

/** Sends a request by `XMLHttpRequest`, because `fetch` reports no progress of a body. Throws `ApiError` if the connection is lost. */
function send(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  { signal, body, onProgress }: RequestOptions,
): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (body && onProgress)
      request.upload.onprogress = ({ loaded }) => onProgress(Math.min(loaded, body.size));
    request.onload = () => resolve(request);
    request.onerror = () => reject(new ApiError(0, 'offline', 'The connection was lost.'));
    request.onabort = () => reject(new DOMException('The upload was stopped.', 'AbortError'));
    request.onloadend = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort);
    if (signal.aborted) request.abort();
    request.send(body ?? null);
  });
}

function toUploadError({ status, responseText }: XMLHttpRequest): ApiError {
  try {
    const { detail, code, retryAt } = JSON.parse(responseText) as Partial<Record<string, string>>;
    return new ApiError(status, code ?? '', detail ?? '', retryAt);
  } catch {
    return new ApiError(status, '', responseText.slice(0, 300) || `The server answered ${status}.`);
  }
}
