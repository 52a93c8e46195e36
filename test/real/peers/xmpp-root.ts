/**
 * A folder with another Debian release, whose Prosody and ejabberd the tests then use: `npm run test:matrix` sets it. Empty for those
 * of this system. The folder sees the same `/tmp`, processes and network.
 */
export const XMPP_ROOT = process.env.PORTER_XMPP_ROOT ?? '';

/** Returns the command that runs a program of the XMPP servers' system, in `cwd`. */
export function xmppCommand(
  program: string,
  args: readonly string[],
  cwd = '/',
): readonly [command: string, args: readonly string[]] {
  if (XMPP_ROOT === '') return [program, args];
  // `chroot` and `exec` keep the process id, so that signals reach the program.
  return ['chroot', [XMPP_ROOT, 'sh', '-c', 'cd "$0" && exec "$@"', cwd, program, ...args]];
}
