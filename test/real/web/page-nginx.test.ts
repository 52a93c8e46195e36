import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { en } from '../../../src/web/page/words/en.ts';
import { httpRequest } from '../../support/http.ts';
import { startNginx } from '../peers/nginx.ts';
import { needs } from '../peers/peers.ts';
import type { WebServer } from '../peers/web-server.ts';
import { freePort } from '../support/ports.ts';
import { PASSWORD } from '../support/xmpp-testbed.ts';
import { type PageTestbed, startPageTestbed } from './page-testbed.ts';

const SCREEN = { width: 1280, height: 800, colorScheme: 'light', locale: 'en-GB' } as const;

describe('The web page behind nginx', { skip: needs('chromium', 'prosody', 'slixmpp', 'nginx') }, () => {
  let port: number;
  let testbed: PageTestbed;
  let nginx: WebServer;
  before(async () => {
    port = await freePort();
    testbed = await startPageTestbed(`http://127.0.0.1:${port}/apps/files`);
    const headers = 'proxy_set_header Host $http_host; client_max_body_size 0;';
    nginx = await startNginx(
      port,
      `server {
         listen 127.0.0.1:${port};
         location /apps/files/ { proxy_pass ${testbed.porter.url}; ${headers} }
         location /stripped/ { proxy_pass ${testbed.porter.url}/; ${headers} }
       }`,
    );
  });
  after(async () => {
    await testbed?.stop();
    await nginx?.stop();
  });

  for (const [prefix, name] of [
    ['/apps/files', 'below a path that nginx forwards'],
    ['/stripped', 'below a path that nginx removes'],
  ]) {
    test(`signs in and uploads ${name}`, async () => {
      const tab = await testbed.open(SCREEN);
      const { page } = tab;
      // Without the slash at the end Porter redirects.
      await page.goto(`http://127.0.0.1:${port}${prefix}/web`);
      await page.getByRole('button', { name: en.usePassword }).click();
      await page.getByLabel(en.address).fill('romeo@localhost');
      await page.getByLabel(en.password).fill(PASSWORD);
      await page.getByRole('button', { name: en.signIn, exact: true }).click();
      await page.getByRole('button', { name: en.upload }).waitFor();
      const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from(name ?? '') };
      await page.locator('input[type=file]').setInputFiles([file]);
      const link = await page.locator('.upload .link-box input').inputValue();
      assert.equal((await httpRequest(link)).text, name);
      await page.reload();
      await page.locator('table.files').getByText('a.txt').first().waitFor();
      await tab.check();
      await tab.close();
    });
  }
});
