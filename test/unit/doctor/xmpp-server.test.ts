import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DetailedPeerCertificate } from 'node:tls';
import { explainLoginError, explainServerCertificate } from '../../../src/doctor/xmpp-server.ts';
import { LoginTimeoutError, TlsUnavailableError } from '../../../src/xmpp/client/login.ts';
import { SaslError } from '../../../src/xmpp/client/sasl.ts';
import { NoServerFoundError } from '../../../src/xmpp/client/server-addresses.ts';

const byDns = { server: null, directTls: false };
const local = { server: { host: '127.0.0.1', port: 5222 }, directTls: false };
const remote = { server: { host: 'xmpp.example.org', port: 5222 }, directTls: false };
const withCode = (code: string) => Object.assign(new Error('failed'), { code });
const explain = (error: unknown, settings: typeof byDns | typeof local = byDns) =>
  explainLoginError(error, 'example.org', settings);

describe('why an account cannot log in', () => {
  test('names messages.server for a private address, for a missing server and for one that refuses connections', () => {
    const onPrivateNetwork = new NoServerFoundError('example.org resolves to …: set messages.server', {
      isUnknownDomain: false,
    });
    assert.match(explain(onPrivateNetwork), /private address: .*set messages\.server \(HOST:5222\)/);
    const unknown = new NoServerFoundError('none', { isUnknownDomain: true });
    assert.match(explain(unknown), /names no XMPP server for example\.org.*Set messages\.server: HOST:5222/);
    assert.match(explain(withCode('ECONNREFUSED')), /Check that it runs, and set messages\.server/);
    assert.match(explain(withCode('ENOTFOUND'), remote), /xmpp\.example\.org:5222 .*Check DNS/);
  });

  test('names messages.require_tls only for a server on this machine', () => {
    const error = new TlsUnavailableError('none');
    assert.match(explain(error, local), /offers no TLS.*on this machine, set messages\.require_tls: false/);
    assert.doesNotMatch(explain(error, remote), /require_tls/);
    assert.doesNotMatch(explain(error, byDns), /require_tls/);
  });

  test('names messages.direct_tls for both mistakes', () => {
    assert.match(explain(new LoginTimeoutError(), local), /set messages\.direct_tls: true/);
    const direct = explainLoginError(withCode('ERR_SSL_WRONG_VERSION_NUMBER'), 'example.org', {
      ...local,
      directTls: true,
    });
    assert.match(direct, /does not begin with TLS\. Remove messages\.direct_tls/);
  });

  test('tells a wrong password from a server without a common login mechanism', () => {
    assert.match(explain(new SaslError('not-authorized')), /refuses the name or the password/);
    assert.match(
      explain(new SaslError('no-mechanism', 'the server offers X')),
      /offers X\. Enable SCRAM-SHA-256/,
    );
  });
});

describe('why a certificate of an XMPP server is refused', () => {
  const certificate = {
    subjectaltname: 'DNS:other.example, DNS:www.other.example',
    valid_from: 'Jan 1',
    valid_to: 'Feb 1',
  } as DetailedPeerCertificate;
  const explainCertificate = (code: string, settings: typeof byDns | typeof local = byDns) =>
    explainServerCertificate(code, { host: 'example.org', code, certificate, now: 0 }, settings);

  test('names the variable for the authority, and the chain where it may be incomplete', () => {
    for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
      assert.match(
        explainCertificate(code),
        /update-ca-certificates.*NODE_EXTRA_CA_CERTS=\/path\/to\/ca\.pem/,
      );
    }
    assert.match(explainCertificate('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), /fullchain\.pem/);
    assert.doesNotMatch(explainCertificate('DEPTH_ZERO_SELF_SIGNED_CERT'), /fullchain\.pem/);
  });

  test('names the domain that it must have, and when it expired', () => {
    const wrongName = explainCertificate('ERR_TLS_CERT_ALTNAME_INVALID', local);
    assert.match(wrongName, /not valid for example\.org, only for other\.example, www\.other\.example/);
    assert.match(wrongName, /require_tls: false/);
    assert.match(
      explainCertificate('CERT_HAS_EXPIRED'),
      /expired on 2001-02-01 00:00 UTC.*reload the XMPP server/,
    );
  });
});
