// How the process stops, seen from outside: real signals, real connections, requests in flight.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, start } from './helper.js';

const limit = { timeout: 20_000 };
const BODY = '{"slow":"upload"}';
const HEAD =
  'POST /upload HTTP/1.1\r\nHost: carol\r\nContent-Type: application/json\r\n' +
  `Content-Length: ${BODY.length}\r\n\r\n`;

const isStopping = (entry) => entry.msg === 'stopping';

/** A request whose body is half sent, and which the service has already received. */
async function upload(t, service) {
  const client = await connect(t, service.port);
  client.send(HEAD + BODY.slice(0, 5));
  await service.line((entry) => entry.msg === 'incoming request' && entry.req.url === '/upload');
  return { ...client, finish: () => client.send(BODY.slice(5)) };
}

/** Returns when nobody listens any more; a connection that was made just before may still be reset. */
async function refusesConnections({ url }) {
  let outcome;
  do {
    outcome = await fetch(url).then((response) => response.status, (error) => error.cause.code);
    assert.ok(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET', 503].includes(outcome), `got ${outcome}`);
  } while (outcome !== 'ECONNREFUSED');
}

/** A connection that was kept open after its answer. */
async function keptAlive(t, service) {
  const client = await connect(t, service.port);
  client.send('GET /healthz HTTP/1.1\r\nHost: carol\r\n\r\n');
  await once(client.socket, 'data');
  return client;
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} lets a request in flight finish, closes the other connections and exits 0`, limit, async (t) => {
    const service = await start(t);
    const idle = await keptAlive(t, service);
    const silent = await connect(t, service.port);
    const request = await upload(t, service);

    service.child.kill(signal);
    const stopping = await service.line(isStopping);
    assert.deepEqual([stopping.signal, stopping.inFlight], [signal, 1]);
    await idle.received;
    await refusesConnections(service);
    assert.equal(service.child.exitCode, null);

    request.finish();
    const answer = await request.received;
    assert.match(answer, /^HTTP\/1\.1 404 /);
    assert.match(answer, /\r\nconnection: close\r\n/i);
    assert.match(answer, /"no such route"}$/);
    const { code, log, stderr } = await service.ended;
    assert.deepEqual([code, log.at(-1).msg, stderr], [0, 'stopped', '']);
    assert.equal(await silent.received, '');
  });
}

test('connections that owe nobody an answer do not hold up the end', limit, async (t) => {
  const service = await start(t);
  const silent = await connect(t, service.port);
  const unfinished = await connect(t, service.port);
  unfinished.send('GET /healthz HTTP/1.1\r\nHo');
  await keptAlive(t, service);
  const begin = Date.now();
  service.child.kill('SIGTERM');
  assert.equal((await service.ended).code, 0);
  assert.ok(Date.now() - begin < 4000, 'waited for a connection');
  assert.equal(await silent.received, '');
  assert.equal(await unfinished.received, '');
});

test('while draining it serves but is not ready; a second signal ends it at once, exit code 1', limit, async (t) => {
  const service = await start(t, { CAROL_DRAIN_MS: '5000' });
  service.child.kill('SIGTERM');
  await service.line(isStopping);
  const ready = await fetch(`${service.url}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [503, { status: 'stopping' }]);
  assert.equal((await fetch(`${service.url}/version`)).status, 200);

  service.child.kill('SIGINT');
  const { code, log } = await service.ended;
  assert.equal(code, 1);
  assert.deepEqual([log.at(-1).level, log.at(-1).msg], ['error', 'second signal, SIGINT: not waiting any longer']);
});

test('after draining it stops by itself with exit code 0', limit, async (t) => {
  const service = await start(t, { CAROL_DRAIN_MS: '300' });
  service.child.kill('SIGTERM');
  const { code, log } = await service.ended;
  const timeOf = (msg) => Date.parse(log.find((entry) => entry.msg === msg).time);
  const drained = timeOf('stopped') - timeOf('stopping');
  assert.equal(code, 0);
  assert.ok(drained >= 290, `drained for ${drained} ms`);
});

test('a request that does not finish is cut off at the deadline, logged, with exit code 1', limit, async (t) => {
  const service = await start(t, { CAROL_SHUTDOWN_TIMEOUT_MS: '300' });
  await upload(t, service);
  service.child.kill('SIGTERM');
  const { code, log } = await service.ended;
  const { level, inFlight, msg } = log.at(-1);
  assert.deepEqual([code, level, inFlight, msg], [1, 'error', 1, 'did not stop within 300 ms, giving up']);
});
