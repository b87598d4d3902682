// Programs that a test starts, and the waits for what they do.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');

export const PROGRAMS = {
  zapgate: process.env.ZAPGATE_BIN ?? join(target, 'debug', 'zapgate'),
  evolution: process.env.ZAPGATE_EVOLUTION_BIN ?? join(target, 'debug', 'examples', 'evolution'),
};

export function run(program, args, env) {
  if (!existsSync(program)) {
    throw new Error(`${program} is not there: run \`cargo build --bin zapgate --example evolution\` first`);
  }
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.resume();
  return child;
}

export function ended(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return undefined;
  return new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill(signal);
  });
}

export async function until(holds, what) {
  const end = Date.now() + 15_000;
  while (
    !(await Promise.resolve()
      .then(holds)
      .catch(() => false))
  ) {
    if (Date.now() > end) throw new Error(`waited 15 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
