import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ProbeSession, usesTransactionPooling } from '../../../src/ledger/postgres/pooling.ts';

/** A pooler in transaction mode: a session has a server process during a transaction only, and gets the one used last. */
function createPooler(processes: number[]) {
  return async (): Promise<ProbeSession> => {
    let held: number | undefined;
    return {
      async pid() {
        const pid = held ?? processes.at(-1);
        assert.ok(pid !== undefined, 'waits for a free process without end');
        return pid;
      },
      async run(statement) {
        if (statement === 'begin') held = processes.pop();
        else if (held !== undefined) processes.push(held);
      },
      close: async () => {},
    };
  };
}

describe('a pooler in front of PostgreSQL', () => {
  test('is recognised in transaction mode, with one and with several connections to the server', async () => {
    for (const processes of [[1], [1, 2], [1, 2, 3]])
      assert.equal(await usesTransactionPooling(createPooler(processes)), true);
  });

  test('that gives each client a process for its whole session is accepted, as is no pooler', async () => {
    let sessions = 0;
    const open = async (): Promise<ProbeSession> => {
      sessions += 1;
      const pid = sessions;
      return { pid: async () => pid, run: async () => {}, close: async () => {} };
    };
    assert.equal(await usesTransactionPooling(open), false);
  });
});
