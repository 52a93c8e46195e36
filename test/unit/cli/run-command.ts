import { Writable } from 'node:stream';
import type { CommandContext, OutputStream } from '../../../src/cli/lib/command-context.ts';
import { runCommandLine } from '../../../src/cli/program.ts';

/** A stream that keeps everything written to it. */
export class CapturedOutput extends Writable {
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

export interface CapturedContext extends CommandContext {
  readonly stdout: OutputStream & CapturedOutput;
  readonly stderr: OutputStream & CapturedOutput;
}

export function createCapturedContext(
  cwd = '/nonexistent',
  env: CommandContext['env'] = {},
  isTTY = false,
): CapturedContext {
  return { stdout: new CapturedOutput(isTTY), stderr: new CapturedOutput(isTTY), env, cwd };
}

/** Runs a command line in a folder. */
export async function runCommand(cwd: string, args: readonly string[], env: CommandContext['env'] = {}) {
  const context = createCapturedContext(cwd, env);
  const code = await runCommandLine(args, context);
  return { code, out: context.stdout.text, err: context.stderr.text };
}
