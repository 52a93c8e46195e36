import { Agent, get } from 'node:http';
import { FILE_NAME, FILE_TYPE, type UploadSlot } from '../servers/file-server.ts';

const CONNECTIONS = 32;

/** Returns the path and query of a slot request. */
export function slotPath(size: number, name = FILE_NAME): string {
  return `/slot/?${new URLSearchParams({ jid: 'bench@localhost', name, size: String(size), content_type: FILE_TYPE })}`;
}

/** Requests slots from the slot API, before the timed run. */
export async function requestSlots(url: string, count: number, size: number): Promise<UploadSlot[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const address = url + slotPath(size);
  const slots: UploadSlot[] = [];
  let left = count;
  const worker = async () => {
    while (left-- > 0) slots.push(readSlot(await fetchText(address, agent)));
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    return slots;
  } finally {
    agent.destroy();
  }
}

function readSlot(answer: string): UploadSlot {
  const [put = '', got = ''] = answer.split('\n');
  const headers = { 'Content-Type': FILE_TYPE };
  return { putPath: new URL(put).pathname, headers, getPath: new URL(got).pathname };
}

function fetchText(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { Accept: 'text/plain' } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`the slot API answered ${response.statusCode}: ${text}`));
      });
      response.on('error', reject);
    }).on('error', reject);
  });
}
