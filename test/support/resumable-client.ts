import {
  type Agent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';

/** A client of draft-ietf-httpbis-resumable-upload, written from its sections on the behaviour of clients. */
export interface ResumableClient {
  /** Begins an upload with the first `bytes` of the file. With `cutAfter`, closes the connection after so many bytes. */
  create(target: string, options: CreateOptions): Promise<ResumableAnswer>;
  /** Returns the answer to an offset retrieval. */
  head(resource: string): Promise<ResumableAnswer>;
  append(resource: string, options: AppendOptions): Promise<ResumableAnswer>;
  cancel(resource: string): Promise<ResumableAnswer>;
}

interface BodyOptions {
  readonly bytes: Uint8Array;
  readonly complete: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Closes the connection after so many bytes. A creation waits for its resource before it sends them. */
  readonly cutAfter?: number;
  readonly isChunked?: boolean;
}

export interface CreateOptions extends BodyOptions {
  /** `Upload-Length`. */
  readonly length?: number;
}

export interface AppendOptions extends BodyOptions {
  readonly offset: number;
}

export interface Interim {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface ResumableAnswer {
  /** 0 if the client closed the connection before an answer. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly interim: readonly Interim[];
  /** The target of the upload resource, from the first answer that names it. */
  readonly resource: string | undefined;
  /** `Upload-Offset`. */
  readonly offset: number | undefined;
  /** `Upload-Complete`. */
  readonly complete: boolean | undefined;
}

/** `version`: interop version, or null to announce none. Without `agent`, each request opens a connection. */
export function resumableClient(
  port: number,
  version: string | null,
  agent: Agent | false = false,
): ResumableClient {
  const announced = version === null ? {} : { 'Upload-Draft-Interop-Version': version };

  function send(
    method: string,
    target: string,
    headers: Record<string, string>,
    body?: BodyOptions,
  ): Promise<ResumableAnswer> {
    const interim: Interim[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<ResumableAnswer>();
    const length: Record<string, string> =
      body?.isChunked === true
        ? { 'Transfer-Encoding': 'chunked' }
        : { 'Content-Length': String(body?.bytes.length ?? 0) };
    const sent = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path: target,
      agent,
      headers: { ...announced, ...length, ...headers, ...body?.headers },
    });
    const answer = (status: number, received: IncomingHttpHeaders, text: string): ResumableAnswer => {
      const location = [received, ...interim.map((one) => one.headers)].find((one) => one.location)?.location;
      return {
        status,
        headers: received,
        body: text,
        interim,
        resource: location === undefined ? undefined : resolveReference(location, target),
        offset: parseNumber(received['upload-offset']),
        complete: parseBoolean(received['upload-complete']),
      };
    };
    let isCut = false;
    const cut = () => {
      isCut = true;
      sent.destroy();
      resolve(answer(0, {}, ''));
    };
    sent.on('information', ({ statusCode, headers: received }) => {
      // A client ignores a version that it does not support.
      if (statusCode === 104 && version !== null && received['upload-draft-interop-version'] !== version)
        return;
      interim.push({ status: statusCode, headers: received });
      if (body?.cutAfter !== undefined && interim.length === 1)
        sent.write(body.bytes.subarray(0, body.cutAfter), cut);
    });
    sent.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve(answer(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString())),
      );
    });
    sent.on('error', (error) => {
      if (!isCut) reject(error);
    });
    if (body?.cutAfter === undefined) sent.end(body?.bytes);
    else if (method === 'PUT') sent.flushHeaders();
    else sent.write(body.bytes.subarray(0, body.cutAfter), cut);
    return promise;
  }

  return {
    create: (target, options) =>
      send(
        'PUT',
        target,
        {
          'Upload-Complete': options.complete ? '?1' : '?0',
          ...(options.length !== undefined && { 'Upload-Length': String(options.length) }),
        },
        options,
      ),
    head: (resource) => send('HEAD', resource, {}),
    append: (resource, options) =>
      send(
        'PATCH',
        resource,
        {
          'Content-Type': 'application/partial-upload',
          'Upload-Offset': String(options.offset),
          'Upload-Complete': options.complete ? '?1' : '?0',
        },
        options,
      ),
    cancel: (resource) => send('DELETE', resource, {}),
  };
}

/** Resolves a reference against the target of the request (RFC 3986, section 5). Returns a target. */
export function resolveReference(reference: string, target: string): string {
  const { pathname, search } = new URL(reference, new URL(target, 'http://host'));
  return pathname + search;
}

const parseNumber = (value: string | string[] | undefined) =>
  value === undefined ? undefined : Number(value);
const parseBoolean = (value: string | string[] | undefined) =>
  value === '?1' ? true : value === '?0' ? false : undefined;
