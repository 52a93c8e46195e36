import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type DnsResolver,
  NoServerFoundError,
  resolveConfiguredServer,
  resolveDomain,
} from '../../../../src/xmpp/client/server-addresses.ts';

interface World {
  readonly srv?: Readonly<Record<string, readonly (readonly [string, number, number, number])[]>>;
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
}

/** SRV as [target, port, priority, weight]. */
function names({ srv = {}, hosts = {} }: World): DnsResolver {
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

const show = (places: Awaited<ReturnType<typeof resolveDomain>>) =>
  places.map(({ address, port, usesDirectTls }) => `${usesDirectTls ? 'tls' : 'tcp'} ${address}:${port}`);

const PLAIN = '_xmpp-client._tcp.example.org';
const DIRECT = '_xmpps-client._tcp.example.org';

describe('the server of a domain', () => {
  test('is where its SRV records say, by priority, those for direct TLS among them', async () => {
    const world = {
      srv: {
        [PLAIN]: [
          ['b.example.org', 5222, 20, 0],
          ['a.example.org', 5222, 10, 0],
        ],
        [DIRECT]: [['c.example.org', 443, 15, 0]],
      },
      hosts: {
        'a.example.org': ['1.2.3.1', '2a00::1'],
        'b.example.org': ['1.2.3.2'],
        'c.example.org': ['1.2.3.3'],
      },
    } as const;
    assert.deepEqual(show(await resolveDomain(names(world), 'example.org')), [
      'tcp 1.2.3.1:5222',
      'tcp 2a00::1:5222',
      'tls 1.2.3.3:443',
      'tcp 1.2.3.2:5222',
    ]);
  });

  test('among equals is drawn by weight', async () => {
    const world = {
      srv: {
        [PLAIN]: [
          ['a.example.org', 1, 10, 1],
          ['b.example.org', 2, 10, 9],
        ],
      },
      hosts: { 'a.example.org': ['1.2.3.1'], 'b.example.org': ['1.2.3.2'] },
    } as const;
    const first = async (draw: number) =>
      show(await resolveDomain(names(world), 'example.org', () => draw))[0];
    assert.equal(await first(0.05), 'tcp 1.2.3.1:1');
    assert.equal(await first(0.5), 'tcp 1.2.3.2:2');
  });

  test('is its own address and port 5222 where there are no SRV records', async () => {
    const world = { hosts: { 'example.org': ['1.2.3.7'] } };
    assert.deepEqual(show(await resolveDomain(names(world), 'example.org')), ['tcp 1.2.3.7:5222']);
  });

  test('of an international name is asked for as the name service has it', async () => {
    const world = { hosts: { 'xn--bcher-kva.example': ['1.2.3.8'] } };
    assert.deepEqual(show(await resolveDomain(names(world), 'bücher.example')), ['tcp 1.2.3.8:5222']);
  });

  test('is none where the domain says so, or is not known', async () => {
    const none = names({ srv: { [PLAIN]: [['', 0, 0, 0]] }, hosts: { 'example.org': ['1.2.3.1'] } });
    const unknown = (error: unknown) => error instanceof NoServerFoundError && error.isUnknownDomain;
    await assert.rejects(resolveDomain(none, 'example.org'), unknown);
    await assert.rejects(resolveDomain(names({}), 'example.org'), unknown);
    await assert.rejects(resolveDomain(names({}), '1.2.3.1'), unknown);
  });

  test('is never behind our own walls, where only its owner says that it is', async () => {
    for (const inner of [
      '127.0.0.1',
      '10.0.0.5',
      '192.168.1.1',
      '169.254.169.254',
      '::1',
      'fd00::1',
      '::ffff:10.0.0.1',
    ]) {
      const world = names({ hosts: { 'example.org': [inner] } });
      await assert.rejects(resolveDomain(world, 'example.org'), /messages\.server/, inner);
    }
    const both = names({ hosts: { 'example.org': ['10.0.0.5', '1.2.3.1'] } });
    assert.deepEqual(show(await resolveDomain(both, 'example.org')), ['tcp 1.2.3.1:5222']);
  });
});

describe('a server that the config names', () => {
  test('may be on this machine, and that is known', async () => {
    const world = names({ hosts: { localhost: ['::1', '127.0.0.1'], 'xmpp.lan': ['192.168.1.2'] } });
    const at = async (host: string) =>
      (await resolveConfiguredServer(world, { host, port: 5222 }, false)).map((place) => place.isLoopback);
    assert.deepEqual(await at('localhost'), [true, true]);
    assert.deepEqual(await at('127.0.0.1'), [true]);
    assert.deepEqual(await at('xmpp.lan'), [false]);
  });
});
