import { Program, runProgram } from '../support/program.ts';
import type { Account } from './slixmpp.ts';

/** Go reads its trusted certificates from this file. */
const trust = (ca: string) => ({ SSL_CERT_FILE: ca });

const login = ({ jid, password, port }: Account) => ['-u', jid, '-p', password, '-j', `localhost:${port}`];

/** Sends a file over HTTP upload; requires TLS for XMPP and HTTP. */
export function sendFileWithGo(from: Account, to: string, file: string, ca: string) {
  return runProgram('go-sendxmpp', [...login(from), '-h', file, to], { env: trust(ca) });
}

/** Starts a client that stays logged in and prints the messages that it receives. */
export function startGoListener(account: Account, ca: string): Program {
  return new Program('go-sendxmpp', [...login(account), '-l'], { env: trust(ca) });
}
