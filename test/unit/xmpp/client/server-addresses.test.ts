import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type DnsResolver,
  NoServerFoundError,
  resolveConfiguredServer,
  resolveDomain,
} from '../../../../src/xmpp/client/server-addresses.ts';

interface DnsZone {
  readonly srv?: Readonly<Record<string, readonly (readonly [string, number, number, number])[]>>;
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
}

/** SRV as [target, port, priority, weight]. */
function fakeDns({ srv = {}, hosts = {} }: DnsZone): DnsResolver {
  return {
    async resolveSrv(name) {
      return (srv[name] ?? []).map(([target, port, priority, weight]) => ({
        name: target,
        port,
        priority,
        weight,
      }));
    },
    async resolveAddresses(host) {
      const found = hosts[host];
      if (found === undefined) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
      return found;
    },
  };
}

const format = (addresses: Awaited<ReturnType<typeof resolveDomain>>) =>
  addresses.map(({ address, port, usesDirectTls }) => `${usesDirectTls ? 'tls' : 'tcp'} ${address}:${port}`);

const STARTTLS_SRV = '_xmpp-client._tcp.example.org';
const DIRECT_TLS_SRV = '_xmpps-client._tcp.example.org';

describe('the addresses of a domain', () => {
  test('follow both kinds of SRV records by priority', async () => {
    const zone = {
      srv: {
        [STARTTLS_SRV]: [
          ['b.example.org', 5222, 20, 0],
          ['a.example.org', 5222, 10, 0],
        ],
        [DIRECT_TLS_SRV]: [['c.example.org', 443, 15, 0]],
      },
      hosts: {
        'a.example.org': ['1.2.3.1', '2a00::1'],
        'b.example.org': ['1.2.3.2'],
        'c.example.org': ['1.2.3.3'],
      },
    } as const;
    assert.deepEqual(format(await resolveDomain(fakeDns(zone), 'example.org')), [
      'tcp 1.2.3.1:5222',
      'tcp 2a00::1:5222',
      'tls 1.2.3.3:443',
      'tcp 1.2.3.2:5222',
    ]);
  });

  test('are chosen by weight among equal priorities', async () => {
    const zone = {
      srv: {
        [STARTTLS_SRV]: [
          ['a.example.org', 1, 10, 1],
          ['b.example.org', 2, 10, 9],
        ],
      },
      hosts: { 'a.example.org': ['1.2.3.1'], 'b.example.org': ['1.2.3.2'] },
    } as const;
    const first = async (draw: number) =>
      format(await resolveDomain(fakeDns(zone), 'example.org', () => draw))[0];
    assert.equal(await first(0.05), 'tcp 1.2.3.1:1');
    assert.equal(await first(0.5), 'tcp 1.2.3.2:2');
  });

  test('are those of the domain itself with port 5222 if there are no SRV records', async () => {
    const zone = { hosts: { 'example.org': ['1.2.3.7'] } };
    assert.deepEqual(format(await resolveDomain(fakeDns(zone), 'example.org')), ['tcp 1.2.3.7:5222']);
  });

  test('of an internationalized domain are queried in ASCII form', async () => {
    const zone = { hosts: { 'xn--bcher-kva.example': ['1.2.3.8'] } };
    assert.deepEqual(format(await resolveDomain(fakeDns(zone), 'bücher.example')), ['tcp 1.2.3.8:5222']);
  });

  test('do not exist if the domain opts out with SRV or is unknown', async () => {
    const none = fakeDns({ srv: { [STARTTLS_SRV]: [['', 0, 0, 0]] }, hosts: { 'example.org': ['1.2.3.1'] } });
    const unknown = (error: unknown) => error instanceof NoServerFoundError && error.isUnknownDomain;
    await assert.rejects(resolveDomain(none, 'example.org'), unknown);
    await assert.rejects(resolveDomain(fakeDns({}), 'example.org'), unknown);
    await assert.rejects(resolveDomain(fakeDns({}), '1.2.3.1'), unknown);
  });

  test('are never on a private network', async () => {
    for (const privateAddress of [
      '127.0.0.1',
      '10.0.0.5',
      '192.168.1.1',
      '169.254.169.254',
      '::1',
      'fd00::1',
      '::ffff:10.0.0.1',
    ]) {
      const zone = fakeDns({ hosts: { 'example.org': [privateAddress] } });
      await assert.rejects(resolveDomain(zone, 'example.org'), /messages\.server/, privateAddress);
    }
    const both = fakeDns({ hosts: { 'example.org': ['10.0.0.5', '1.2.3.1'] } });
    assert.deepEqual(format(await resolveDomain(both, 'example.org')), ['tcp 1.2.3.1:5222']);
  });
});

describe('a server from the config', () => {
  test('may be on the loopback interface, and is marked so', async () => {
    const zone = fakeDns({ hosts: { localhost: ['::1', '127.0.0.1'], 'xmpp.lan': ['192.168.1.2'] } });
    const loopbackFlags = async (host: string) =>
      (await resolveConfiguredServer(zone, { host, port: 5222 }, false)).map((server) => server.isLoopback);
    assert.deepEqual(await loopbackFlags('localhost'), [true, true]);
    assert.deepEqual(await loopbackFlags('127.0.0.1'), [true]);
    assert.deepEqual(await loopbackFlags('xmpp.lan'), [false]);
  });
});
