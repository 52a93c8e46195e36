import { Writable } from 'node:stream';
import { run } from '../../../src/cli/program.ts';
import type { Output, Shell } from '../../../src/cli/shell.ts';

/** A stream that keeps what is written. */
export class Paper extends Writable {
  readonly isTTY: boolean;
  readonly columns = 100;
  private readonly chunks: Buffer[] = [];

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

export interface PaperShell extends Shell {
  readonly out: Output & Paper;
  readonly err: Output & Paper;
}

export function paperShell(folder = '/nonexistent', env: Shell['env'] = {}, isTTY = false): PaperShell {
  return { out: new Paper(isTTY), err: new Paper(isTTY), env, folder };
}

/** One command line in a folder, as if typed there. */
export async function type(folder: string, args: readonly string[], env: Shell['env'] = {}) {
  const shell = paperShell(folder, env);
  const code = await run(args, shell);
  return { code, out: shell.out.text, err: shell.err.text };
}
