import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Certificate, makeCertificate } from './certificate.ts';
import { goListen, goSendFile } from './go-sendxmpp.ts';
import { temporaryFolder } from './porter.ts';
import { type Account, SlixmppClient } from './slixmpp.ts';
import type { XmppServer } from './xmpp-server.ts';

/** Where real people meet over a real XMPP server: a folder, and a certificate for localhost that all of them believe. */
export interface Stage {
  readonly folder: string;
  readonly certificate: Certificate;
  /** The certificate to believe, PEM. */
  readonly ca: string;
  /** A file of its own with this name; its path. */
  fileNamed(name: string, content: string): Promise<string>;
  account(server: XmppServer, user: string): Account;
  login(server: XmppServer, user: string): Promise<SlixmppClient>;
  clear(): Promise<void>;
}

/** Of every account of a stage. */
export const PASSWORD = 'pw';

export async function setStage(): Promise<Stage> {
  const folder = await temporaryFolder();
  const certificate = await makeCertificate(folder, ['localhost']);
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
    async fileNamed(name, content) {
      const path = join(folder, name);
      await writeFile(path, content);
      return path;
    },
    login: (server, user) => SlixmppClient.login(account(server, user)),
    clear: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * Romeo's go-sendxmpp uploads a file and sends its link to Juliet's; the link that hers shows. `romeo` is another
 * client of his.
 */
export async function sendByGo(
  { account, certificate: { cert } }: Stage,
  server: XmppServer,
  romeo: SlixmppClient,
  path: string,
): Promise<string> {
  const juliet = goListen(account(server, 'juliet'), cert);
  try {
    // It says nothing of its login; a message that it shows does.
    await juliet.until('login', async () => {
      await romeo.do('send', { to: 'juliet@localhost', body: 'are you there?' });
      return juliet.stdout.includes('are you there?');
    });
    const sent = await goSendFile(account(server, 'romeo'), 'juliet@localhost', path, cert);
    if (sent.code !== 0) throw new Error(sent.stdout + sent.stderr);
    await juliet.until('the link', () => /https:\S+/.test(juliet.stdout));
    return /https:\S+/.exec(juliet.stdout)?.[0] ?? '';
  } finally {
    await juliet.stop('SIGKILL');
  }
}
