import { ApiError } from './api.ts';

/** The part of a slot that an upload needs. */
export interface UploadSlot {
  readonly putUrl: string;
  readonly contentType: string;
  /** Absent for guests. */
  readonly getUrl?: string;
}

/**
 * Sends a file by one PUT and reports the bytes that were sent. `XMLHttpRequest`, because `fetch` reports no progress of a
 * request. Throws `ApiError` with the text of the server.
 */
export function sendBody(
  slot: UploadSlot,
  file: File,
  signal: AbortSignal,
  onProgress: (sentBytes: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', slot.putUrl);
    request.setRequestHeader('Content-Type', slot.contentType);
    request.setRequestHeader('Accept', 'application/problem+json');
    request.upload.onprogress = ({ loaded }) => onProgress(Math.min(loaded, file.size));
    request.onload = () => (request.status === 201 ? resolve() : reject(toUploadError(request)));
    request.onerror = () => reject(new ApiError(0, 'offline', 'The connection was lost.'));
    request.onabort = () => reject(new DOMException('The upload was stopped.', 'AbortError'));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
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
