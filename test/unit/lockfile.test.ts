import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

interface LockedPackage {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

test('the lock file has the packages of all platforms, so that npm ci works on each', () => {
  const wanted = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies),
  );
  assert.ok(wanted.length > 0);
  // `npm install` drops those that it cannot find at its registry, and `npm ci` then refuses the file.
  assert.deepEqual(
    wanted.filter((name) => !(`node_modules/${name}` in lock.packages)),
    [],
  );
});
