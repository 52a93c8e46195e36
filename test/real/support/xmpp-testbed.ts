import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CertificateFiles, writeIssuedCertificate } from '../../support/self-signed-certificate.ts';
import { sendFileWithGo, startGoListener } from '../peers/go-sendxmpp.ts';
import { type Account, SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { createTemporaryFolder } from './porter-process.ts';

/** A folder, and a certificate for localhost that the XMPP server uses and all clients trust. */
export interface XmppTestbed {
  readonly folder: string;
  readonly certificate: CertificateFiles;
  /** The certificate and its authority, which clients trust; PEM. */
  readonly ca: string;
  /** Creates a file and returns its path. */
  createFile(name: string, content: string): Promise<string>;
  account(server: XmppServer, user: string): Account;
  login(server: XmppServer, user: string): Promise<SlixmppClient>;
  remove(): Promise<void>;
}

/** The password of all accounts. */
export const PASSWORD = 'pw';

export async function createXmppTestbed(): Promise<XmppTestbed> {
  const folder = await createTemporaryFolder();
  const certificate = await writeIssuedCertificate(folder, ['localhost']);
  const account = ({ clientPort }: XmppServer, user: string): Account => ({
    jid: `${user}@localhost`,
    password: PASSWORD,
    port: clientPort,
    ca: certificate.cert,
  });
  return {
    folder,
    certificate,
    ca: await readFile(certificate.cert, 'utf8'),
    account,
    async createFile(name, content) {
      const path = join(folder, name);
      await writeFile(path, content);
      return path;
    },
    login: (server, user) => SlixmppClient.login(account(server, user)),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * Sends a file from Romeo to Juliet with go-sendxmpp on both sides, and returns the link that Juliet receives. `romeo` is
 * another client of Romeo.
 */
export async function sendFileBetweenGoClients(
  { account, certificate: { cert } }: XmppTestbed,
  server: XmppServer,
  romeo: SlixmppClient,
  path: string,
): Promise<string> {
  const juliet = startGoListener(account(server, 'juliet'), cert);
  try {
    // go-sendxmpp does not report its login; the arrival of a message does.
    await juliet.waitFor('login', async () => {
      await romeo.run('send', { to: 'juliet@localhost', body: 'are you there?' });
      return juliet.stdout.includes('are you there?');
    });
    const sent = await sendFileWithGo(account(server, 'romeo'), 'juliet@localhost', path, cert);
    if (sent.code !== 0) throw new Error(sent.stdout + sent.stderr);
    await juliet.waitFor('the link', () => /https:\S+/.test(juliet.stdout));
    return /https:\S+/.exec(juliet.stdout)?.[0] ?? '';
  } finally {
    await juliet.stop('SIGKILL');
  }
}
