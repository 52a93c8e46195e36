import { answerHeader, REQUEST_HEADER_BYTES, STATUS } from '../../src/uploads/thumbnails/process-protocol.ts';

/*
 * Replaces the picture process in tests. The content of a picture determines the reaction: `crash`, `hang`, `memory`,
 * `environment` (answers with the names of the environment), `process` (answers with the process id), or any other text, which
 * becomes the thumbnail.
 */

function answer(status: (typeof STATUS)[keyof typeof STATUS], text: string): void {
  const payload = Buffer.from(text);
  process.stdout.write(Buffer.concat([answerHeader(status, payload.length), payload]));
}

answer(STATUS.ready, '');
let received = Buffer.alloc(0);
for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
  received = Buffer.concat([received, chunk]);
  if (received.length < REQUEST_HEADER_BYTES) continue;
  const end = REQUEST_HEADER_BYTES + received.readUInt32BE(4);
  if (received.length < end) continue;
  const text = received.toString('utf8', REQUEST_HEADER_BYTES, end);
  received = received.subarray(end);
  if (text === 'crash') process.kill(process.pid, 'SIGSEGV');
  else if (text === 'memory') answer(STATUS.damaged, 'Insufficient memory');
  else if (text === 'environment') answer(STATUS.made, Object.keys(process.env).sort().join(' '));
  else if (text === 'process') answer(STATUS.made, String(process.pid));
  else if (text !== 'hang') answer(STATUS.made, text);
}
