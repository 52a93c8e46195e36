import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { needs } from '../peers/peers.ts';
import { createTemporaryFolder, startPorter } from '../support/porter-process.ts';
import { Program } from '../support/program.ts';

/** Prints each datagram that arrives at a Unix socket, as systemd would receive it. Node.js has no such sockets. */
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("LISTENS", flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
`;

// slixmpp needs Python.
test('systemd learns that the server is ready, works and stops', {
  skip: needs('systemd', 'slixmpp'),
}, async () => {
  const folder = await createTemporaryFolder();
  const socket = join(folder, 'notify.sock');
  const receiver = new Program('python3', ['-c', RECEIVER, socket]);
  const received = (message: string) => receiver.output.split('\n').filter((line) => line === message).length;
  try {
    await receiver.waitFor('the socket', () => received('LISTENS') === 1);
    const porter = await startPorter({ env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' } });
    try {
      await receiver.waitFor('READY=1', () => received('READY=1') === 1);
      assert.equal(received('STOPPING=1'), 0);
      await receiver.waitFor('three WATCHDOG=1', () => received('WATCHDOG=1') >= 3);
      const { code } = await porter.stop();
      assert.equal(code, 0);
      await receiver.waitFor('STOPPING=1', () => received('STOPPING=1') === 1);
    } finally {
      await porter.remove();
    }
  } finally {
    await receiver.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a notification that cannot be sent does not stop the server', { skip: needs('systemd') }, async () => {
  const porter = await startPorter({ env: { NOTIFY_SOCKET: '/nonexistent/notify.sock' } });
  try {
    await porter.program.waitFor('the log entry', () =>
      porter.program.output.includes('cannot report the state of this service to systemd'),
    );
    assert.equal((await porter.runCommand('health')).code, 0);
  } finally {
    await porter.remove();
  }
});
