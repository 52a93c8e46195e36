import { Program, runProgram } from '../support/program.ts';
import type { Account } from './slixmpp.ts';

/** Go takes its authorities from this file. */
const trust = (ca: string) => ({ SSL_CERT_FILE: ca });

const login = ({ jid, password, port }: Account) => ['-u', jid, '-p', password, '-j', `localhost:${port}`];

/** Sends a file over HTTP upload; needs TLS on both sides. */
export function sendFileWithGo(from: Account, to: string, file: string, ca: string) {
  return runProgram('go-sendxmpp', [...login(from), '-h', file, to], { env: trust(ca) });
}

/** Stays logged in and prints what it gets. */
export function startGoListener(account: Account, ca: string): Program {
  return new Program('go-sendxmpp', [...login(account), '-l'], { env: trust(ca) });
}
