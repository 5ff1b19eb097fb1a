// Limits that only a real connection can show.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../src/config.js';
import { build, connect } from './helper.js';

const limit = { timeout: 20_000 };

async function listen(t, requestTimeoutMs, addRoutes = () => {}) {
  const app = build(t, { config: { ...readConfig({}).config, requestTimeoutMs } });
  addRoutes(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app.server.address().port;
}

test('headers that do not come to an end are answered with 408', limit, async (t) => {
  const client = await connect(t, await listen(t, 400));
  client.send('GET /healthz HTTP/1.1\r\nHost: carol\r\n');
  assert.match(await client.received, /^HTTP\/1\.1 408 /);
});

test('a body that does not come to an end is answered with 408', limit, async (t) => {
  const client = await connect(t, await listen(t, 400));
  client.send('POST /nowhere HTTP/1.1\r\nHost: carol\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{');
  assert.match(await client.received, /^HTTP\/1\.1 408 /);
});

test('a connection on which nothing is said is closed', limit, async (t) => {
  const client = await connect(t, await listen(t, 400));
  assert.match(await client.received, /^(HTTP\/1\.1 408 |$)/);
});

test('a connection whose answer does not come is closed', limit, async (t) => {
  const port = await listen(t, 200, (app) => app.get('/stuck', () => new Promise(() => {})));
  const client = await connect(t, port);
  client.send('GET /stuck HTTP/1.1\r\nHost: carol\r\n\r\n');
  assert.equal(await client.received, '');
});

test('idle connections outlive the patience of a proxy', (t) => {
  assert.ok(build(t).server.keepAliveTimeout > 60_000);
});

test('a connection stays open between two requests', limit, async (t) => {
  const client = await connect(t, await listen(t, 10_000));
  client.send('GET /healthz HTTP/1.1\r\nHost: carol\r\n\r\n');
  client.socket.once('data', () => client.send('GET /version HTTP/1.1\r\nHost: carol\r\nConnection: close\r\n\r\n'));
  const statuses = (await client.received).match(/HTTP\/1\.1 \d+/g);
  assert.deepEqual(statuses, ['HTTP/1.1 200', 'HTTP/1.1 200']);
});

test('what is not HTTP is answered with 400', limit, async (t) => {
  const client = await connect(t, await listen(t, 10_000));
  client.send('hello\r\n\r\n');
  assert.match(await client.received, /^HTTP\/1\.1 400 /);
});
