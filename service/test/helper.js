// Shared by the tests: an app without a port, and the service as a separate process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildApp } from '../src/app.js';
import { readConfig } from '../src/config.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export const BUILD_INFO = {
  version: '1.2.3',
  commit: '0123456789abcdef0123456789abcdef01234567',
  source: 'https://forge.example.org/acme/carol',
};

/** An app that is closed when the test ends. `options` override the options of `buildApp`. */
export function build(t, options = {}) {
  const app = buildApp({ config: readConfig({}).config, buildInfo: BUILD_INFO, ...options });
  t.after(() => app.close());
  return app;
}

/** A copy of the service with this text as its `build.json`. */
export function unpack(t, buildJson) {
  const dir = temporaryDirectory(t);
  cpSync(join(ROOT, 'src'), join(dir, 'src'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(dir, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  writeFileSync(join(dir, 'build.json'), buildJson);
  return dir;
}

/** A directory that is removed when the test ends. */
export function temporaryDirectory(t) {
  const dir = mkdtempSync(join(tmpdir(), 'carol-service-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

/**
 * Runs the service as a process, with nothing but `env` in its environment. `line(match)` gives the first log line for
 * which `match` holds; `ended` gives the exit code and the output.
 */
export function run(t, env = {}, dir = ROOT) {
  const child = spawn(process.execPath, [join(dir, 'src', 'server.js')], {
    env: { HOST: '127.0.0.1', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const log = readLog(child.stdout);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr, log: log.lines }));
  return { child, ended, line: log.line };
}

/** Runs the service and waits until it listens. */
export async function start(t, env, dir) {
  const service = run(t, env, dir);
  const { port } = await service.line((entry) => entry.msg === 'started');
  return { ...service, port, url: `http://127.0.0.1:${port}` };
}

function readLog(stream) {
  const lines = [];
  const waiting = new Set();
  const reader = createInterface({ input: stream });
  reader.on('line', (text) => {
    lines.push(JSON.parse(text));
    waiting.forEach((check) => check());
  });
  reader.on('close', () => waiting.forEach((check) => check(true)));
  const line = (match) =>
    new Promise((resolve, reject) => {
      const check = (last) => {
        const found = lines.find(match);
        if (found) {
          waiting.delete(check);
          resolve(found);
        } else if (last) {
          reject(new Error(`no log line for which ${match}, in ${JSON.stringify(lines)}`));
        }
      };
      waiting.add(check);
      check();
    });
  return { lines, line };
}

/** A connection: `send` writes to it, and `received` gives everything that arrived until it was closed. */
export async function connect(t, port) {
  const socket = net.connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  socket.on('error', () => {});
  const received = once(socket, 'close').then(() => text);
  await once(socket, 'connect');
  return { socket, received, send: (data) => socket.write(data) };
}
