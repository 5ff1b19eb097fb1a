// What the routes answer, without a port.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { build, BUILD_INFO } from './helper.js';

test('it is alive and ready', async (t) => {
  const app = build(t);
  const [alive, ready] = await Promise.all([app.inject('/healthz'), app.inject('/readyz')]);
  assert.deepEqual([alive.statusCode, alive.json()], [200, { status: 'ok' }]);
  assert.deepEqual([ready.statusCode, ready.json()], [200, { status: 'ready' }]);
});

test('while stopping it is alive, not ready, and asks to close the connection', async (t) => {
  const app = build(t);
  app.lifecycle.stopping = true;
  const [alive, ready] = await Promise.all([app.inject('/healthz'), app.inject('/readyz')]);
  assert.equal(alive.statusCode, 200);
  assert.deepEqual([ready.statusCode, ready.json()], [503, { status: 'stopping' }]);
  assert.equal(ready.headers.connection, 'close');
});

test('the version is the one of the build', async (t) => {
  const response = await build(t).inject('/version');
  assert.match(response.headers['content-type'], /^application\/json/);
  assert.deepEqual(response.json(), BUILD_INFO);
});

test('an unknown route is a 404 in JSON', async (t) => {
  const response = await build(t).inject('/nowhere?token=x');
  assert.equal(response.statusCode, 404);
  assert.deepEqual(response.json(), { statusCode: 404, error: 'Not Found', message: 'no such route' });
});

test('the reason of a failure goes to the log and not to the client', async (t) => {
  const log = new PassThrough();
  const app = build(t, { logger: { stream: log } });
  app.get('/broken', async () => {
    throw new Error('database at 10.0.0.7 said no');
  });
  const response = await app.inject('/broken');
  assert.equal(response.statusCode, 500);
  assert.doesNotMatch(response.body, /10\.0\.0\.7/);
  assert.deepEqual(Object.keys(response.json()), ['statusCode', 'error', 'message', 'requestId']);
  const failed = log.read().toString().split('\n').find((line) => line.includes('database at 10.0.0.7 said no'));
  assert.equal(JSON.parse(failed).reqId, response.json().requestId);
});

test('a client error keeps its status and its reason', async (t) => {
  const response = await build(t).inject({
    method: 'POST',
    url: '/nowhere',
    headers: { 'content-type': 'application/json' },
    payload: '{"a":',
  });
  assert.equal(response.statusCode, 400);
  assert.match(response.json().message, /JSON/);
});

test('a body above the limit is refused', async (t) => {
  const payload = { text: 'x'.repeat(64 * 1024) };
  const response = await build(t).inject({ method: 'POST', url: '/nowhere', payload });
  assert.equal(response.statusCode, 413);
});
