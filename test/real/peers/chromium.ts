import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '../../support/wait-until.ts';
import { Program } from '../support/program.ts';

/** The effects that a link had when a browser opened it. */
export interface OpenedPage {
  /** The error of the navigation, such as `net::ERR_ABORTED` for a download; empty if the page was shown. */
  readonly error: string;
  /** The markup of the page that was shown. */
  readonly html: string;
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A real Chromium without a window, controlled by the DevTools protocol. */
export class Chromium {
  readonly #program: Program;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #replies = new Map<number, (reply: Reply) => void>();
  #onLoad = () => {};
  #calls = 0;
  /** Keeps the test process alive while it waits for the browser: idle connections of `fetch` and `WebSocket` do not. */
  readonly #hold: NodeJS.Timeout;

  private constructor(program: Program, folder: string, socket: WebSocket, hold: NodeJS.Timeout) {
    this.#hold = hold;
    this.#program = program;
    this.#folder = folder;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(String(data)) as Reply));
  }

  static async start(): Promise<Chromium> {
    const hold = setInterval(() => {}, 1000);
    try {
      return await Chromium.#launch(hold);
    } catch (error) {
      clearInterval(hold);
      throw error;
    }
  }

  static async #launch(hold: NodeJS.Timeout): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), 'porter-chromium-'));
    const program = new Program('chromium', [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--ignore-certificate-errors',
      '--remote-debugging-port=0',
      `--user-data-dir=${folder}`,
      'about:blank',
    ]);
    const portFile = join(folder, 'DevToolsActivePort');
    const readPort = () =>
      readFile(portFile, 'utf8').then(
        (text) => text.split('\n')[0],
        () => undefined,
      );
    await program.waitFor('its debugging port', async () => (await readPort()) !== undefined);
    const target = `http://127.0.0.1:${await readPort()}/json/new?about:blank`;
    const { webSocketDebuggerUrl } = (await (await fetch(target, { method: 'PUT' })).json()) as {
      webSocketDebuggerUrl: string;
    };
    const socket = new WebSocket(webSocketDebuggerUrl);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', reject);
    });
    const browser = new Chromium(program, folder, socket, hold);
    await browser.#call('Page.enable');
    return browser;
  }

  /** Opens a link in the tab and waits until it is loaded or refused. */
  async open(url: string): Promise<OpenedPage> {
    const loaded = new Promise<void>((resolve) => {
      this.#onLoad = resolve;
    });
    const { errorText = '' } = await this.#call('Page.navigate', { url });
    if (errorText !== '') return { error: String(errorText), html: '' };
    await loaded;
    return { error: '', html: await this.evaluate('document.documentElement.outerHTML') };
  }

  /** Opens a link that is saved, and returns the name under which the file is saved. */
  async save(url: string): Promise<string> {
    const folder = await mkdtemp(join(this.#folder, 'downloads-'));
    await this.#call('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
    await this.#call('Page.navigate', { url });
    let names: string[] = [];
    await waitUntil(async () => {
      names = await readdir(folder);
      // Chromium writes to a temporary name first.
      return (
        names.length > 0 &&
        names.every((name) => !/\.crdownload$|^\.(?:org\.chromium|com\.google)/.test(name))
      );
    });
    return names.join('\n');
  }

  /** Evaluates an expression in the page that is shown; waits if it is a promise. */
  async evaluate(expression: string): Promise<string> {
    const { result } = await this.#call('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    return String((result as { readonly value?: unknown }).value);
  }

  async stop(): Promise<void> {
    clearInterval(this.#hold);
    this.#socket.close();
    await this.#program.stop();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #call(
    method: string,
    params: Readonly<Record<string, unknown>> = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    this.#calls += 1;
    const id = this.#calls;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => {
      this.#replies.set(id, ({ error, result = {} }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  #receive(reply: Reply): void {
    if (reply.id !== undefined) this.#replies.get(reply.id)?.(reply);
    else if (reply.method === 'Page.loadEventFired') this.#onLoad();
  }
}
