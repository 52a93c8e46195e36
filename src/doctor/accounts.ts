import xml, { type Element } from '@xmpp/xml';
import { withTimeout } from '../base/async.ts';
import { randomId } from '../base/ids.ts';
import { formatBareJid, parseJid } from '../base/jid.ts';
import type { Config } from '../config/load.ts';
import { namedDomains, userDomainsOf } from '../config/user-domains.ts';
import type { AccountSettings } from '../xmpp/client/account-senders.ts';
import { type BoundStream, inspectServer, logIn, TlsUnavailableError } from '../xmpp/client/login.ts';
import { createSystemDnsResolver } from '../xmpp/client/server-addresses.ts';
import { reportCertificate } from './certificate.ts';
import { formatProbeResponse, type ProbeTarget, sendProbe } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import { explainLoginError, explainServerCertificate } from './xmpp-server.ts';

/** An account that the doctor may use. */
export interface TestAccount {
  readonly jid: string;
  readonly password: string;
}

export interface AccountCheckOptions {
  readonly config: Config;
  readonly settings: AccountSettings;
  /** The account of `--account`. Undefined if it is not given. */
  readonly account: TestAccount | undefined;
  /** The address of the running server. Undefined if no server runs. */
  readonly target: ProbeTarget | undefined;
  readonly now: () => number;
}

const MAX_DOMAINS = 3;
/** Time for a message through Porter, which may log in first. */
const ARRIVAL_TIMEOUT_MS = 15_000;

/**
 * Checks whether XMPP accounts can log in and send messages: the certificate of their server, and with a test account a login and a
 * message to itself. Without a test account, problems are reported as warnings, or as skipped if the config has tokens or hooks but no
 * `accounts`, because then the senders may not need accounts.
 */
export async function checkAccounts(report: DoctorReport, options: AccountCheckOptions): Promise<void> {
  const { account } = options;
  const jid = account && parseJid(account.jid);
  const domains = jid ? [jid.domain] : accountDomains(options.config);
  const isUsable = await Promise.all(domains.map((domain) => checkServer(report, domain, options)));
  if (!account || !jid) return;
  const check = `login of ${account.jid}`;
  if (!options.settings.mayLogIn(formatBareJid(jid))) {
    report.fail(
      check,
      `messages.accounts does not allow this account. Add '@${escapeDots(jid.domain)}$' to it.`,
    );
  } else if (isUsable[0] === false) {
    report.skip(check, 'Not tested: the XMPP server cannot be used.');
  } else await checkLogin(report, check, account, options);
}

function mayNeedNoAccount({ messages, web }: Config): boolean {
  if (web?.sign_in.includes('password')) return false;
  return (
    messages !== null && messages.accounts === null && messages.tokens.length + messages.hooks.length > 0
  );
}

/** Returns the domains in the config whose accounts may log in, at most `MAX_DOMAINS`. */
function accountDomains(config: Config): string[] {
  const { messages, component, access } = config;
  const accounts = messages?.accounts ?? null;
  const domains =
    accounts === null
      ? [
          ...component.flatMap(({ jid }) => userDomainsOf(jid, config).map(({ domain }) => domain)),
          ...namedDomains(access),
        ]
      : namedDomains([{ deny: false, jid: accounts }]);
  return [...new Set(domains)].slice(0, MAX_DOMAINS);
}

/** Checks the certificate of an XMPP server. Returns false if a login would fail because of the server. */
async function checkServer(
  report: DoctorReport,
  domain: string,
  { config, settings, account, now }: AccountCheckOptions,
): Promise<boolean> {
  const check = `certificate of the XMPP server (${domain})`;
  let isUsable = true;
  const fail = (name: string, text: string) => {
    isUsable = false;
    if (account) report.fail(name, text);
    else if (mayNeedNoAccount(config)) report.skip(name, `${text} Tokens and hooks do not need it.`);
    else report.warn(name, `${text} Tokens and hooks do not need it.`);
  };
  try {
    const { isCertificateChecked, peer } = await inspectServer(createSystemDnsResolver(), settings, domain);
    if (!isCertificateChecked) {
      report.ok(check, 'Not needed: the server is on this machine, and messages.require_tls is false.');
    } else if (peer === undefined) {
      fail(check, capitalize(explainLoginError(new TlsUnavailableError(), domain, settings)));
    } else {
      const code = peer.error === undefined ? undefined : shortErrorReason(peer.error);
      const presented = { host: domain, code, certificate: peer.certificate, now: now() };
      reportCertificate(
        { ok: (...args) => report.ok(...args), warn: (...args) => report.warn(...args), fail },
        check,
        presented,
        (reason) => capitalize(explainServerCertificate(reason, presented, settings)),
      );
    }
  } catch (error) {
    fail(check, capitalize(explainLoginError(error, domain, settings)));
  }
  return isUsable;
}

async function checkLogin(
  report: DoctorReport,
  check: string,
  account: TestAccount,
  { config, settings, target }: AccountCheckOptions,
): Promise<void> {
  const jid = parseJid(account.jid);
  if (jid === undefined) return;
  let bound: BoundStream;
  try {
    bound = await logIn(createSystemDnsResolver(), settings, jid, account.password);
  } catch (error) {
    report.fail(check, capitalize(explainLoginError(error, jid.domain, settings)));
    return;
  }
  report.ok(check, `The XMPP server accepts it as ${bound.jid}.`);
  try {
    await checkMessage(
      report,
      bound,
      account,
      config.messages ? target : undefined,
      config.messages?.path ?? '',
    );
  } finally {
    await bound.stream.close();
  }
}

/**
 * Sends a message to the session of the test login, so that the other clients of the account do not get it. Sends it through the
 * running server, or directly if none runs.
 */
async function checkMessage(
  report: DoctorReport,
  { stream, jid }: BoundStream,
  { jid: accountJid, password }: TestAccount,
  target: ProbeTarget | undefined,
  path: string,
): Promise<void> {
  const check = 'message to itself';
  const body = `Test of porter doctor ${randomId()}`;
  const arrival = Promise.withResolvers<void>();
  stream.listen({
    onElement(stanza: Element) {
      if (stanza.name === 'message' && stanza.getChild('body')?.getText() === body) arrival.resolve();
    },
    onSkipped: () => undefined,
  });
  void stream.ended.then((reason) => arrival.reject(reason ?? new Error('the server closed the connection')));
  arrival.promise.catch(() => undefined);
  const late = () => new Error(`no message within ${ARRIVAL_TIMEOUT_MS / 1000} s`);
  try {
    if (target === undefined) {
      stream.write(xml('message', { to: jid, type: 'headline' }, xml('body', {}, body)).toString());
    } else {
      const credentials = Buffer.from(`${accountJid}:${password}`).toString('base64');
      const answer = await sendProbe(target, path, {
        method: 'POST',
        headers: { Authorization: `Basic ${credentials}`, 'Content-Type': 'application/json' },
        body: Buffer.from(JSON.stringify({ to: jid, type: 'headline', body })),
        idleTimeoutMs: ARRIVAL_TIMEOUT_MS,
      });
      if (answer.status !== 201) {
        const text = `The running server answered a message with ${formatProbeResponse(answer)}. Its log has the cause.`;
        report.fail(check, text);
        return;
      }
    }
    await withTimeout(arrival.promise, ARRIVAL_TIMEOUT_MS, late);
    const way = target === undefined ? 'directly' : 'through the running server';
    report.ok(check, `It was sent ${way}, and arrived.`);
  } catch (error) {
    report.fail(
      check,
      `It did not arrive: ${shortErrorReason(error)}. Check whether the XMPP server filters messages.`,
    );
  }
}

const escapeDots = (domain: string): string => domain.replaceAll('.', '\\.');

const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
