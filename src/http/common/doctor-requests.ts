import type { IncomingMessage, ServerResponse } from 'node:http';
import { isProbeToken } from '../../uploads/probe-uploads.ts';
import type { UploadServices } from '../../uploads/services.ts';

/** The header that marks requests of `porter doctor`: the upload token of one of its test uploads. */
export const DOCTOR_HEADER = 'porter-doctor';

const recognized = new WeakSet<IncomingMessage>();

/** Returns true for requests of `porter doctor`. A refusal of such a request is part of a test and is not logged. */
export function isDoctorRequest(request: IncomingMessage): boolean {
  return recognized.has(request);
}

/** Wraps a handler so that it can recognize requests of the doctor. A client cannot mark its requests without such a token. */
export function recognizingDoctor(
  services: Pick<UploadServices, 'ledger'>,
  handle: (request: IncomingMessage, response: ServerResponse) => unknown,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const token = request.headers[DOCTOR_HEADER];
    if (typeof token !== 'string') handle(request, response);
    else {
      void isProbeToken(services, token)
        .catch(() => false)
        .then((isProbe) => {
          if (isProbe) recognized.add(request);
          handle(request, response);
        });
    }
  };
}
