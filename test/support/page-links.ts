import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Returns the text of a Markdown page without its blocks of code, which may be in a list. */
export function readProse(root: string, page: string): string {
  const text = readFileSync(join(root, page), 'utf8');
  return text.replaceAll(/^ *(?:\d+\. )?```.*\n[\s\S]*?^ *```$/gm, '');
}

/** Returns the anchors of the headings, as GitHub derives them. */
function anchorsOf(root: string, page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of readProse(root, page).matchAll(/^#+ (.*)$/gm)) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    anchors.add(text.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));
  }
  return anchors;
}

/** Returns the links of a page in the folder `root` that lead to nothing there. Links to other sites are not checked. */
export function brokenLinks(root: string, page: string): string[] {
  const targets = [...readProse(root, page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : normalize(join(dirname(page), path));
    if (file.startsWith('..') || !existsSync(join(root, file))) return true;
    return anchor !== undefined && !anchorsOf(root, file).has(anchor);
  });
}
