import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';

/*
 * Answers that were sent before. Node.js checks and formats each header again for each answer, and writes head and body as two
 * buffers. For a small file that is requested often, that costs more than everything else. So the head that Node.js has written is
 * kept for one second, as long as its `Date` and `max-age` stay the same, and sent again in one buffer with the body.
 *
 * Only for a plain GET over a connection that stays open: everything else is answered by Node.js. `_header` and `_headerSent` are
 * fields of Node's `OutgoingMessage` that its public methods read; test/wire/http/repeated-get.test.ts compares the bytes.
 */

/** Head and body of a file, valid while `key` stays the same. */
interface PreparedResponse {
  readonly key: number;
  readonly head: string;
  /** Head and body. Undefined until the head is used again. */
  whole: Buffer | undefined;
}

/** The fields of `OutgoingMessage` that hold the formatted head. */
interface ResponseHead {
  _header: string | null;
  _headerSent: boolean;
}

const headOf = (res: ServerResponse) => res as unknown as ResponseHead;

/** Bytes of all prepared responses together. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Headers of a request that change its answer or announce a body. */
const OTHER_ANSWER =
  /^(?:range|if-match|if-none-match|if-modified-since|if-unmodified-since|content-length|transfer-encoding|expect|upgrade)$/i;

export interface PreparedResponses {
  /** Sends the answer that was kept for `file` and `key`. Returns false if there is none or the request needs a different answer. */
  send(file: object, key: number, req: IncomingMessage, res: ServerResponse, body: Buffer): boolean;
  /** Keeps the head that `res.writeHead` has formatted. */
  keep(file: object, key: number, req: IncomingMessage, res: ServerResponse): void;
}

/** Keys are objects that belong to one version of a file and its headers. */
export function createPreparedResponses(): PreparedResponses {
  const kept = new LRUCache<object, PreparedResponse>({
    max: 4096,
    maxSize: MAX_BYTES,
    sizeCalculation: ({ head, whole }) => head.length + (whole?.length ?? 0),
  });
  return {
    send(file, key, req, res, body) {
      const prepared = kept.get(file);
      if (prepared?.key !== key || !isPlain(req, res)) return false;
      if (prepared.whole === undefined) {
        const whole = Buffer.concat([Buffer.from(prepared.head, 'latin1'), body]);
        kept.set(file, { ...prepared, whole });
        write(res, prepared.head, whole);
      } else write(res, prepared.head, prepared.whole);
      return true;
    },
    keep(file, key, req, res) {
      const head = headOf(res)._header;
      if (head !== null && isPlain(req, res)) kept.set(file, { key, head, whole: undefined });
    },
  };
}

/** Returns whether the request is a GET whose answer is the whole file and leaves the connection open. */
function isPlain(req: IncomingMessage, res: ServerResponse): boolean {
  if (req.method !== 'GET' || req.httpVersion !== '1.1' || !res.shouldKeepAlive) return false;
  if (res.hasHeader('connection')) return false;
  for (let i = 0; i < req.rawHeaders.length; i += 2)
    if (OTHER_ANSWER.test(req.rawHeaders[i] ?? '')) return false;
  return true;
}

function write(res: ServerResponse, head: string, whole: Buffer): void {
  Object.assign(headOf(res), { _header: head, _headerSent: true });
  // A pipelined answer has no socket until the one before it is sent.
  if (res.socket) {
    res.socket.write(whole);
    res.end();
  } else res.end(whole);
}
