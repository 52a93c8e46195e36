import fs from 'node:fs';
import { ServerResponse } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { mock, type TestContext } from 'node:test';

/**
 * Records the file calls, commits and answers of this process, and computes what a power failure would leave of them:
 *
 *   the bytes of a file    after `fdatasync` of it, until the next write
 *   the name of a file     after `fsync` of its folder, called after the name was made
 *   a transaction          after its commit with `synchronous = full`, or after a later one
 *
 * The rules below hold at every moment. A violation is reported by `violations`, with all events before it.
 *
 *   1. Once a commit has finished, every stored upload has its bytes, its name and its folder on disk.
 *   2. A 201 is answered only for uploads whose commit is on disk.
 *   3. A blob is unlinked only if no upload refers to it, and a pending delete on disk or an unfinished upload names it.
 *   4. A pending delete is removed only after the unlink.
 */
export interface DiskRecorder {
  /** Events so far: `mkdir ab`, `create ab/x`, `fsync .`, `commit full`, `answer 201`, … Paths are relative to the root. */
  readonly events: readonly string[];
  readonly violations: readonly string[];
  /** Called at the start of each call, before its effect. A returned promise delays the call. */
  onCall: ((event: string) => Promise<void> | undefined) | undefined;
}

interface KnownFile {
  dirty: boolean;
}

type Callback = (error: Error | null, ...values: unknown[]) => void;

/** `root`: the blob folder. `database`: the SQLite file. Both may be missing yet. */
export function recordDisk(t: TestContext, root: string, database: string): DiskRecorder {
  const events: string[] = [];
  const violations: string[] = [];
  const recorder: DiskRecorder = { events, violations, onCall: undefined };
  const paths = new Map<number, string>();
  const files = new Map<string, KnownFile>();
  /** Names that a power failure would lose. */
  const unsynced = new Set<string>();
  const lost: string[] = [];
  let flushedPending = new Set<string>();
  let flushedUploads = 0;
  let reader: DatabaseSync | undefined;

  const isInside = (path: string) => path === root || path.startsWith(root + sep);
  const relative = (path: string) => (path === root ? '.' : path.slice(root.length + 1));
  const note = (event: string) => events.push(event);
  const violated = (rule: string) => violations.push(`${rule}\n${events.join('\n')}`);

  const column = (sql: string): string[] => {
    try {
      reader ??= new DatabaseSync(database, { readOnly: true });
      return reader
        .prepare(sql)
        .all()
        .map((row) => String(row.blob));
    } catch {
      return []; // There is no schema yet.
    }
  };
  /** The names of each stored upload: one, or two while the file gets its public name. */
  const storedUploads = () =>
    column("select concat_ws(' ', blob, unpublished_blob) as blob from uploads where state = 'stored'").map(
      (names) => names.split(' '),
    );
  const unfinishedBlobs = () => column("select blob from uploads where state <> 'stored'");
  const pendingDeletes = () => column('select blob from pending_deletes');

  const added = (path: string) => {
    unsynced.add(path);
  };
  const removed = (path: string) => {
    unsynced.delete(path);
    files.delete(path);
  };

  function survives(blob: string): string | undefined {
    const path = `${root}${sep}${blob}`;
    if (files.get(path)?.dirty !== false) return `the bytes of ${blob} are not on disk`;
    if (unsynced.has(path)) return `the name of ${blob} is not on disk`;
    if (unsynced.has(dirname(path))) return `the name of the folder of ${blob} is not on disk`;
    return undefined;
  }

  /** Wraps a function of `node:fs` with a callback. `before` returns the function to call after success. */
  function wrap(
    name:
      | 'open'
      | 'mkdir'
      | 'write'
      | 'writev'
      | 'fdatasync'
      | 'fsync'
      | 'rename'
      | 'link'
      | 'unlink'
      | 'close',
    before: (args: readonly never[]) => ((value: unknown) => void) | undefined,
  ): void {
    const original = fs[name] as unknown as (...args: unknown[]) => void;
    mock.method(fs, name, ((...args: unknown[]) => {
      const callback = args.pop() as Callback;
      const start = async () => {
        const after = before(args as never[]);
        const path = typeof args[0] === 'number' ? paths.get(args[0]) : args[0];
        if (after !== undefined) await recorder.onCall?.(`${name} ${relative(String(path))}`);
        original(...args, (error: Error | null, ...values: unknown[]) => {
          if (!error) after?.(values[0]);
          callback(error, ...values);
        });
      };
      void start();
    }) as never);
  }

  wrap('open', ([path, flags]: readonly unknown[]) => {
    if (typeof path !== 'string') return undefined;
    const creates = isInside(path) && (Number(flags) & fs.constants.O_CREAT) !== 0;
    return (fd) => {
      paths.set(fd as number, path);
      if (!creates) return;
      note(`create ${relative(path)}`);
      files.set(path, { dirty: true });
      added(path);
    };
  });
  wrap('close', ([fd]: readonly unknown[]) => {
    paths.delete(fd as number);
    return undefined;
  });
  wrap('mkdir', ([path]: readonly unknown[]) => {
    if (!isInside(String(path))) return undefined;
    return () => {
      note(`mkdir ${relative(String(path))}`);
      added(String(path));
    };
  });
  const write = ([fd]: readonly unknown[]) => {
    const path = paths.get(fd as number) ?? '';
    if (!isInside(path)) return undefined;
    const file = files.get(path);
    if (file) file.dirty = true;
    note(`write ${relative(path)}`);
    return () => undefined;
  };
  wrap('write', write);
  wrap('writev', write);
  wrap('fdatasync', ([fd]: readonly unknown[]) => {
    const path = paths.get(fd as number) ?? '';
    return () => {
      // A hard link shares the bytes of its original.
      for (const [other, file] of files) {
        if (other !== path && !sameFile(other, path)) continue;
        file.dirty = false;
        note(`fdatasync ${relative(other)}`);
      }
    };
  });
  wrap('fsync', ([fd]: readonly unknown[]) => {
    const folder = paths.get(fd as number) ?? '';
    if (!isInside(folder)) return undefined;
    const before = [...unsynced].filter((path) => dirname(path) === folder);
    return () => {
      note(`fsync ${relative(folder)}`);
      for (const path of before) unsynced.delete(path);
    };
  });
  wrap('rename', ([from, to]: readonly unknown[]) => () => {
    note(`rename ${relative(String(to))}`);
    const file = files.get(String(from));
    removed(String(from));
    files.set(String(to), file ?? { dirty: true });
    added(String(to));
  });
  wrap('link', ([from, to]: readonly unknown[]) => () => {
    note(`link ${relative(String(to))}`);
    files.set(String(to), files.get(String(from)) ?? { dirty: true });
    added(String(to));
  });
  wrap('unlink', ([path]: readonly unknown[]) => {
    const name = String(path);
    if (!isInside(name) || dirname(name) === root || dirname(name) === join(root, 'spool')) return undefined;
    const blob = relative(name).split(sep).join('/');
    const upload = storedUploads().find((names) => names.includes(blob));
    const isPublished = upload?.some((other) => other !== blob && survives(other) === undefined) ?? false;
    if (upload && !isPublished) violated(`${blob} is unlinked although an upload refers to it`);
    if (!fs.existsSync(name)) return undefined;
    if (
      !isPublished &&
      !blob.endsWith('.part') &&
      !flushedPending.has(blob) &&
      !unfinishedBlobs().includes(blob)
    ) {
      violated(`${blob} is unlinked before its pending delete is on disk`);
    }
    note(`unlink ${blob}`);
    if (!isPublished) lost.push(blob);
    return () => {
      removed(name);
      note(`unlinked ${blob}`);
    };
  });

  const exec = DatabaseSync.prototype.exec;
  mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    if (sql !== 'commit') return exec.call(this, sql);
    const isFull = this.prepare('pragma synchronous').get()?.synchronous === 2;
    const pendingBefore = pendingDeletes();
    exec.call(this, sql);
    note(`commit ${isFull ? 'full' : 'lazy'}`);
    const pending = pendingDeletes();
    if (isFull) {
      flushedPending = new Set(pending);
      flushedUploads = storedUploads().length;
    }
    for (const names of storedUploads()) {
      const reasons = names.map(survives);
      if (!reasons.includes(undefined)) violated(`an upload is committed although ${reasons[0]}`);
    }
    for (const blob of pendingBefore) {
      if (!pending.includes(blob) && fs.existsSync(`${root}${sep}${blob}`)) {
        violated(`the pending delete of ${blob} is removed before the unlink`);
      }
    }
  });

  const writeHead = ServerResponse.prototype.writeHead;
  let answered = 0;
  mock.method(ServerResponse.prototype, 'writeHead', function (this: ServerResponse, ...args: never[]) {
    const [status] = args as unknown as [number];
    if (this.req.method === 'PUT' && status === 201) {
      answered += 1;
      note('answer 201');
      if (flushedUploads + lost.length < answered) violated('201 is answered before the commit is on disk');
    }
    return (writeHead as (...all: never[]) => ServerResponse).apply(this, args);
  } as never);

  syncBuiltinESMExports();
  t.after(() => {
    mock.restoreAll();
    syncBuiltinESMExports();
    reader?.close();
  });
  return recorder;
}

function sameFile(a: string, b: string): boolean {
  try {
    const [first, second] = [fs.statSync(a), fs.statSync(b)];
    return first.ino === second.ino && first.dev === second.dev;
  } catch {
    return false;
  }
}
