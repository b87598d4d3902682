// The real program on a free port, and Evolution's side of it.
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROGRAMS, ended, freePort, root, run, until } from './process.mjs';

/** A server on a folder and a port of its own, so that it can be killed and come back as the same one. */
export class Gateway {
  adminToken = randomBytes(32).toString('hex');
  #secret = randomBytes(32).toString('hex');
  #folder = mkdtempSync(join(tmpdir(), 'zapgate-browser-'));
  #child = null;
  #port;
  #evolution = {};

  /** `evolution`: the simulated one that it works with; without it what Evolution would do has to be posted. */
  static async start({ evolution } = {}) {
    const gateway = new Gateway();
    gateway.#evolution = evolution?.settings ?? {};
    gateway.#port = await freePort();
    await gateway.comeUp();
    return gateway;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async comeUp() {
    this.#child = run(PROGRAMS.zapgate, ['serve'], {
      ...this.#evolution,
      PORT: this.#port,
      DATABASE_URL: `sqlite://${join(this.#folder, 'zapgate.db')}`,
      ADMIN_TOKEN: this.adminToken,
      RUST_LOG: 'warn',
      WEBHOOK_SECRET: this.#secret,
    });
    await until(() => fetch(`${this.url}/ready`).then((answer) => answer.ok), 'the server to be ready');
  }

  /** As a power cut does it: no goodbye. */
  async die() {
    await ended(this.#child, 'SIGKILL');
  }

  async stop() {
    await ended(this.#child, 'SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async connect(userId) {
    await this.#ask('/api/whatsapp/connect', { userId });
  }

  /** The link with which a user connects, as the SaaS's backend gets it. */
  async linkFor(userId) {
    const { link } = await this.#ask('/api/tokens', { userId });
    return link;
  }

  /** What lets a user sign in. */
  async tokenFor(userId) {
    const { token } = await this.#ask('/api/tokens', { userId });
    return token;
  }

  /** Ends the tokens that a user has. */
  async revoke(userId) {
    await this.#ask(`/api/users/${userId}/revoke`, {});
  }

  async #ask(path, body) {
    const headers = { Authorization: `Bearer ${this.adminToken}`, 'Content-Type': 'application/json' };
    const answer = await fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }

  /** Posts a recorded webhook as this user's, after `change` has altered its `data`; answers its `seq`. */
  async post(userId, recording, change = () => {}) {
    const body = structuredClone(recorded(recording));
    body.instance = `user_${userId}`;
    body.date_time = new Date().toISOString();
    change(body.data);
    const headers = { Authorization: `Bearer ${this.#proof()}`, 'Content-Type': 'application/json' };
    const url = `${this.url}/api/webhook/user/${userId}`;
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    const { status, seq } = await answer.json();
    if (status !== 'stored') throw new Error(`${recording}: ${answer.status} ${status}`);
    return seq;
  }

  /** A text as WhatsApp delivers it. */
  say(userId, text, { id = randomBytes(16).toString('hex').toUpperCase(), name = 'Ana Teste' } = {}) {
    return this.post(userId, 'messages.upsert/text-conversation', (data) => {
      data.key.id = id;
      data.pushName = name;
      data.message.conversation = text;
      data.messageTimestamp = Math.floor(Date.now() / 1000);
    });
  }

  #proof() {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iat: now, exp: now + 600 })}`;
    return `${signed}.${createHmac('sha256', this.#secret).update(signed).digest('base64url')}`;
  }
}

/** `zapgate demo` and the link that it prints. */
export class Demo {
  #child;
  link;

  static async start() {
    const demo = new Demo();
    let printed = '';
    demo.#child = run(PROGRAMS.zapgate, ['demo'], { PORT: await freePort(), RUST_LOG: 'warn' });
    demo.#child.stdout.on('data', (text) => (printed += text));
    await until(() => /http\S+#login=\S+/.test(printed), 'the link to be printed');
    [demo.link] = printed.match(/http\S+#login=\S+/);
    return demo;
  }

  async stop() {
    await ended(this.#child, 'SIGTERM');
  }
}

const recorded = (name) =>
  JSON.parse(readFileSync(join(root, 'tests/data/evolution/webhooks', `${name}.json`), 'utf8')).request.body;
