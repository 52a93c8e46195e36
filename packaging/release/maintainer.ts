import { ROOT, run } from './run.ts';

/**
 * Returns the maintainer of the Debian package, `NAME <ADDRESS>`: `DEBFULLNAME` and `DEBEMAIL`, which Debian's tools read too, or
 * else the author of the commit that is built. So each builder of one commit writes the same.
 */
export function maintainer(): string {
  const { DEBFULLNAME: name = ofCommit('%an'), DEBEMAIL: address = ofCommit('%ae') } = process.env;
  return `${name} <${address}>`;
}

function ofCommit(format: string): string {
  return run('git', ['log', '-1', `--format=${format}`], { cwd: ROOT }).trim();
}
