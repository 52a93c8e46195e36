import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createAddressMatcher, parseAddressRange, withoutBrackets } from '../../../src/base/addresses.ts';

describe('address ranges', () => {
  test('are read with and without a prefix', () => {
    assert.deepEqual(parseAddressRange('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8, family: 'ipv4' });
    assert.deepEqual(parseAddressRange('192.0.2.1'), { address: '192.0.2.1', prefix: 32, family: 'ipv4' });
    assert.deepEqual(parseAddressRange('::1'), { address: '::1', prefix: 128, family: 'ipv6' });
    assert.deepEqual(parseAddressRange('2001:db8::/32'), {
      address: '2001:db8::',
      prefix: 32,
      family: 'ipv6',
    });
  });

  test('are rejected if malformed', () => {
    for (const text of [
      '',
      'localhost',
      '10.0.0.0/33',
      '::1/129',
      '10.0.0/8',
      '10.0.0.256',
      '1.2.3.4/',
      '[::1]',
    ]) {
      assert.equal(parseAddressRange(text), undefined, text);
    }
  });

  test('match the addresses in them and no others', () => {
    const matches = createAddressMatcher(['127.0.0.0/8', '::1', '2001:db8::/32', '192.0.2.7']);
    for (const inside of [
      '127.0.0.1',
      '127.255.0.9',
      '::1',
      '2001:db8:1::5',
      '192.0.2.7',
      '::ffff:127.0.0.1',
    ]) {
      assert.ok(matches(inside), inside);
    }
    for (const outside of ['128.0.0.1', '::2', '2001:db9::1', '192.0.2.8', '', 'unix', 'unknown', '127.1']) {
      assert.ok(!matches(outside), outside);
    }
    assert.ok(!matches(undefined));
    assert.ok(!createAddressMatcher([])('127.0.0.1'), 'an empty list matches nothing');
  });

  test('never throw, whatever is asked', () => {
    const matches = createAddressMatcher(['10.0.0.0/8', 'no range at all']);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (text) => {
        assert.equal(typeof matches(text), 'boolean');
        parseAddressRange(text);
      }),
    );
  });

  test('agree with arithmetic on IPv4', () => {
    const address = fc.ipV4();
    const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    fc.assert(
      fc.property(address, address, fc.nat(32), (network, asked, prefix) => {
        const step = 2 ** (32 - prefix);
        const inside = Math.floor(number(network) / step) === Math.floor(number(asked) / step);
        assert.equal(createAddressMatcher([`${network}/${prefix}`])(asked), inside);
      }),
    );
  });
});

test('the host name of a URL with an IPv6 address is used without its brackets', () => {
  const hosts = ['https://[2001:db8::1]:8443/', 'https://192.0.2.1/', 'https://files.example.org/'];
  assert.deepEqual(
    hosts.map((url) => withoutBrackets(new URL(url).hostname)),
    ['2001:db8::1', '192.0.2.1', 'files.example.org'],
  );
});
