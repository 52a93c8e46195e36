import { join } from 'node:path';
import { Program } from '../support/program.ts';

const SCRIPT = join(import.meta.dirname, 'slixmpp_client.py');
/** Debian's Python, for which slixmpp is packaged. */
const PYTHON = '/usr/bin/python3';

export interface Account {
  readonly jid: string;
  readonly password: string;
  readonly port: number;
  /** Requires TLS, and trusts this PEM file for HTTPS. */
  readonly ca?: string;
}

/** A stanza error, as the client reports it. */
export interface StanzaErrorInfo {
  readonly type: string;
  readonly condition: string;
  readonly text: string;
  readonly maxFileSize: string | null;
  readonly retry: string | null;
}

export interface DiscoInfo {
  readonly jid: string;
  /** Category, type, name. */
  readonly identities: readonly (readonly [string, string, string])[];
  readonly features: readonly string[];
  /** Variable and first value of each field. */
  readonly forms: readonly (readonly (readonly [string, string])[])[];
}

/** A logged-in client that uses the library slixmpp. `slixmpp_client.py` implements its commands. */
export class SlixmppClient {
  private readonly program: Program;
  private next = 0;

  private constructor(program: Program) {
    this.program = program;
  }

  static async login({ jid, password, port, ca }: Account): Promise<SlixmppClient> {
    const args = [SCRIPT, jid, password, String(port), ca ? 'tls' : 'plain'];
    const program = new Program(PYTHON, args, { interactive: true, env: ca ? { SSL_CERT_FILE: ca } : {} });
    await program.waitFor('login', () => program.stdout.includes('"online"'));
    return new SlixmppClient(program);
  }

  /** Runs one command; `T` is the shape of its answer. Throws if the command failed in the client. */
  async run<T = { readonly error: StanzaErrorInfo }>(verb: string, options: object = {}): Promise<T> {
    this.next += 1;
    const tag = `t${this.next}`;
    this.program.write(`${JSON.stringify({ do: verb, tag, ...options })}\n`);
    const answer = () =>
      this.program.stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { tag?: string; failure?: string })
        .find((said) => said.tag === tag);
    await this.program.waitFor(`an answer to ${verb}`, () => answer() !== undefined);
    const found = answer();
    if (found?.failure !== undefined) throw new Error(`${verb}: ${found.failure}`);
    return found as T;
  }

  async logout(): Promise<void> {
    await this.program.stop();
  }
}
