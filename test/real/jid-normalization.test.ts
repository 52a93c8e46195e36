import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { looseJidKey, parseBareJid } from '../../src/base/jid.ts';
import { needs } from './peers/peers.ts';

/** Localparts in spellings that the servers map, refuse or keep. */
const INPUTS = [
  'juliet',
  'Juliet',
  '\uff4auliet',
  'jul\u00adiet',
  'jul\u200diet',
  'jul\u200ciet',
  'jul\u2060iet',
  'juliet\ufe0f',
  'stra\u00dfe',
  'STRASSE',
  '\u03a3\u0391\u03a3',
  '\u03c3\u03b1\u03c2',
  'henry\u2163',
  '\ufb01n',
  'a\u030angstrom',
  '\u212bngstrom',
  '\u0130stanbul',
  '\u30ac',
  '\uff76\uff9e',
  '\u05d0\u05d1',
  '\u05d0a',
  '1\u05d0',
  'a b',
  'a\u3000b',
  '\u13a0',
  '\u5f20',
];

const hex = (text: string) => Buffer.from(text).toString('hex');
const parseLines = (output: string) =>
  output
    .trimEnd()
    .split('\n')
    .map((line) => (line === '-' ? undefined : Buffer.from(line, 'hex').toString()));

/** Returns what Prosody makes of each localpart; undefined where it refuses it. */
function askProsody(): (string | undefined)[] {
  const script = `package.cpath = "/usr/lib/prosody/?.so;" .. package.cpath
    local prep = require "util.encodings".stringprep.nodeprep
    for line in io.lines() do
      local result = prep((line:gsub("..", function(h) return string.char(tonumber(h, 16)) end)))
      print(result and (result:gsub(".", function(c) return string.format("%02x", c:byte()) end)) or "-")
    end`;
  return parseLines(
    execFileSync('lua5.4', ['-e', script], { input: `${INPUTS.map(hex).join('\n')}\n`, encoding: 'utf8' }),
  );
}

/** Returns what ejabberd makes of each localpart; undefined where it refuses it. */
function askEjabberd(): (string | undefined)[] {
  const list = INPUTS.map((text) => `<<${[...Buffer.from(text)].join(',')}>>`).join(',');
  const script = `ok = stringprep:load_nif(),
    [case stringprep:nodeprep(X) of error -> io:format("-~n"); R -> io:format("~s~n", [binary:encode_hex(R)]) end || X <- [${list}]],
    halt().`;
  return parseLines(
    execFileSync('erl', ['-noshell', '-eval', script], {
      encoding: 'utf8',
      env: { ...process.env, ERL_CRASH_DUMP: '/dev/null' },
    }),
  );
}

const servers = [
  ['prosody', 'Prosody', askProsody],
  ['ejabberd', 'ejabberd', askEjabberd],
] as const;

for (const [peer, name, ask] of servers) {
  describe(`JIDs that ${name} confirms`, { skip: needs(peer) }, () => {
    test('are valid owners, and stay as they are', () => {
      const confirmed = ask();
      assert.equal(confirmed.length, INPUTS.length);
      for (const [n, local] of confirmed.entries()) {
        // Nodeprep of Unicode 3.2 knows no small Cherokee letters.
        if (local === undefined || INPUTS[n] === '\u13a0') continue;
        assert.equal(parseBareJid(`${local}@example.org`), `${local}@example.org`, JSON.stringify(INPUTS[n]));
      }
    });

    test('have the loose key of every spelling that means them', () => {
      for (const [n, local] of ask().entries()) {
        if (local === undefined) continue;
        assert.equal(looseJidKey(`${INPUTS[n]}@b`), looseJidKey(`${local}@b`), JSON.stringify(INPUTS[n]));
      }
    });

    test('are refused by both, or equal, unless PRECIS and Nodeprep differ', () => {
      for (const [n, local] of ask().entries()) {
        const ours = parseBareJid(`${INPUTS[n]}@b`)?.slice(0, -2);
        if (local === undefined) assert.equal(ours, undefined, JSON.stringify(INPUTS[n]));
        else if (ours !== undefined && !/[\u00df\u03c2\uab70]/.test(ours))
          assert.equal(ours, local, JSON.stringify(INPUTS[n]));
      }
    });
  });
}
