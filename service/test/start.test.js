// How the process starts, or says why it does not.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { BUILD_INFO, run, start, unpack } from './helper.js';

const limit = { timeout: 20_000 };

// Loaded before the service. It throws as soon as the service registers its handler for uncaught exceptions. The only
// background thread is busy then, so a log line that needs that thread would be late.
const THROW_LATER = `
import { pbkdf2 } from 'node:crypto';
process.on('newListener', (name) => {
  if (name !== 'uncaughtException') return;
  pbkdf2('', '', 500_000, 64, 'sha512', () => {});
  setImmediate(() => { throw new Error('lost'); });
});`;

test('one line tells version, commit and address, off a terminal and without any setting', limit, async (t) => {
  const { line, port } = await start(t, {}, unpack(t, JSON.stringify(BUILD_INFO)));
  const started = await line((entry) => entry.msg === 'started');
  const { version, commit } = BUILD_INFO;
  const { time, pid, hostname, ...rest } = started;
  assert.deepEqual(rest, { level: 'info', version, commit, address: '127.0.0.1', port, msg: 'started' });
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000, time);
  assert.ok(pid > 0 && hostname, 'says which process it was');
});

test('the version that is served is the one in build.json', limit, async (t) => {
  const { url } = await start(t, {}, unpack(t, JSON.stringify(BUILD_INFO)));
  assert.deepEqual(await (await fetch(`${url}/version`)).json(), BUILD_INFO);
});

test('every wrong variable is named on stderr, nothing is logged, and the exit code is 1', limit, async (t) => {
  const { code, stderr, log } = await run(t, { PORT: 'abc', LOG_LEVEL: 'loud', CAROL_X: '1' }).ended;
  assert.equal(code, 1);
  assert.deepEqual(log, []);
  const [summary, ...details] = stderr.trimEnd().split('\n');
  assert.equal(summary, 'carol-service: not started, the environment is wrong');
  assert.deepEqual(
    details.map((detail) => detail.split('`')[1]),
    ['PORT', 'LOG_LEVEL', 'CAROL_X'],
  );
});

test('a malformed build.json is named on stderr, and the exit code is 1', limit, async (t) => {
  const { code, stderr } = await run(t, {}, unpack(t, '{"version":"1.2.3"}')).ended;
  assert.equal(code, 1);
  assert.match(stderr, /^carol-service: not started, the build information is wrong\n/);
  assert.match(stderr, /`.*build\.json` is malformed: `commit` is missing/);
});

test('a port that is taken is named on stderr, and the exit code is 1', limit, async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address();
  const { code, stderr } = await run(t, { PORT: String(port) }).ended;
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`not started, cannot listen\\n {2}127\\.0\\.0\\.1, port ${port}: .*EADDRINUSE`));
});

test('an error that nobody handles is the last thing in the log, and the exit code is 1', limit, async (t) => {
  const module = `data:text/javascript,${encodeURIComponent(THROW_LATER)}`;
  const env = { NODE_OPTIONS: `--import=${module}`, UV_THREADPOOL_SIZE: '1' };
  const { code, log } = await run(t, env).ended;
  assert.equal(code, 1);
  const last = log.at(-1);
  assert.deepEqual([last.level, last.err.message], ['fatal', 'lost']);
});
