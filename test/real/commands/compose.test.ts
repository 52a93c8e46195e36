import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { CONTRIB } from '../../support/paths.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import { runPorter } from '../support/porter-process.ts';
import { runProgram } from '../support/program.ts';

const VALUES: Readonly<Record<string, string>> = {
  DOMAIN: 'example.org',
  MAIL: 'admin@example.org',
  SECRET: '0123456789abcdef0123456789abcdef',
};

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
  readonly volumes: Readonly<Record<string, null>>;
}

interface ComposeService {
  readonly configs?: readonly { readonly source: string }[];
  readonly volumes?: readonly string[];
}

/** Replaces variables as Compose does: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, and `$$` for a dollar sign. */
function interpolate(text: string): string {
  return text.replace(
    /\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}/g,
    (whole, name?: string, kind?: string, fallback = '') => {
      if (name === undefined) return whole === '$$' ? '$' : whole;
      const value = VALUES[name] ?? (kind === '-' ? fallback : undefined);
      assert.ok(value !== undefined, `${name} is not one of the three variables and has no default`);
      return value;
    },
  );
}

function readCompose(server: string): Compose {
  // Compose parses first and replaces then.
  const parsed: unknown = parse(readFileSync(join(CONTRIB, `docker/compose.${server}.yml`), 'utf8'));
  return JSON.parse(JSON.stringify(parsed), (_key, value: unknown) =>
    typeof value === 'string' ? interpolate(value) : value,
  ) as Compose;
}

async function withConfig(text: string, name: string, work: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-compose-'));
  try {
    // Prosody reads it as its own user.
    await chmod(folder, 0o755);
    const file = join(folder, name);
    await writeFile(file, text);
    await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const checks: Readonly<
  Record<string, { peer: PeerName; file: string; check: (file: string) => Promise<void> }>
> = {
  prosody: {
    peer: 'prosody',
    file: 'prosody.cfg.lua',
    async check(file) {
      const { code, stdout, stderr } = await runProgram('prosodyctl', ['--config', file, 'check', 'config']);
      assert.equal(code, 0, stdout + stderr);
    },
  },
  ejabberd: {
    peer: 'ejabberd',
    file: 'ejabberd.yml',
    async check(file) {
      const config = parse(readFileSync(file, 'utf8'));
      const component = config.listen.find((entry: { port: number }) => entry.port === 5347);
      assert.deepEqual(component.hosts, { 'upload.example.org': { password: VALUES.SECRET } });
    },
  },
};

for (const [server, { peer, file: name, check }] of Object.entries(checks)) {
  describe(`the compose file with ${server}`, () => {
    const compose = readCompose(server);

    test('uses only configs and volumes that it defines', () => {
      for (const service of Object.values(compose.services)) {
        for (const { source } of service.configs ?? []) assert.ok(source in compose.configs, source);
        for (const volume of service.volumes ?? []) {
          assert.ok((volume.split(':')[0] ?? '') in compose.volumes, volume);
        }
      }
    });

    test('has a porter.yml that porter check accepts without warnings', () =>
      withConfig(compose.configs.porter?.content ?? '', 'porter.yml', async (file) => {
        const { code, stderr } = await runPorter(['check', '-c', file], {
          env: { SECRET: VALUES.SECRET ?? '' },
        });
        assert.deepEqual([code, stderr], [0, '']);
      }));

    test('has a Caddyfile that Caddy accepts', { skip: needs('caddy') }, () =>
      withConfig(compose.configs.caddy?.content ?? '', 'Caddyfile', async (file) => {
        const { code, stderr } = await runProgram('caddy', ['adapt', '--config', file]);
        assert.equal(code, 0, stderr);
      }),
    );

    test(`has a config for ${server} with the same component`, { skip: needs(peer) }, () =>
      withConfig(compose.configs[server]?.content ?? '', name, check),
    );
  });
}
