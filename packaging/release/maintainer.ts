import { ROOT, run } from './run.ts';

/**
 * Returns the maintainer of the Debian package, `NAME <ADDRESS>`: `DEBFULLNAME` and `DEBEMAIL`, as in the tools of Debian, else the
 * author of the built commit, so that two builds of a commit have the same maintainer.
 */
export function maintainer(): string {
  const { DEBFULLNAME: name = ofCommit('%an'), DEBEMAIL: address = ofCommit('%ae') } = process.env;
  return `${name} <${address}>`;
}

function ofCommit(format: string): string {
  return run('git', ['log', '-1', `--format=${format}`], { cwd: ROOT }).trim();
}
