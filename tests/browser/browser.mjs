// A real Chromium with a fresh profile, and what it complained about.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const FLAGS = [
  '--no-sandbox', // a container's root has no other way; the pages are our own
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function executable() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
  if (!found) throw new Error('no Chromium: install the package `chromium`');
  return found;
}

export class Browser {
  #profile = mkdtempSync(join(tmpdir(), 'zapgate-chromium-'));
  #context;

  static async start() {
    const browser = new Browser();
    browser.#context = await chromium.launchPersistentContext(browser.#profile, {
      executablePath: executable(),
      headless: true,
      args: FLAGS,
      viewport: { width: 1280, height: 800 },
      locale: 'pt-BR',
    });
    return browser;
  }

  /** A page, and the list of what went wrong in it so far: errors, warnings and refusals of the policy. */
  async open(url) {
    const page = await this.#context.newPage();
    const faults = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (said) => {
      if (['error', 'warning'].includes(said.type())) faults.push(said.text());
    });
    page.on('dialog', (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.goto(url);
    return { page, faults };
  }

  async stop() {
    await this.#context.close();
    rmSync(this.#profile, { recursive: true, force: true });
  }
}
