// What Prometheus sees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { build, BUILD_INFO } from './helper.js';

async function scrape(app) {
  const response = await app.inject('/metrics');
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return response.body;
}

/** The distinct values of the label `name` in the request metric. */
function labels(text, name) {
  const found = text.matchAll(new RegExp(`^http_request_duration_seconds_count{.*?${name}="([^"]*)"`, 'gm'));
  return [...new Set([...found].map((match) => match[1]))];
}

test('process metrics and the build are there from the start', async (t) => {
  const text = await scrape(build(t));
  assert.match(text, /^process_cpu_seconds_total \d/m);
  assert.match(text, /^process_resident_memory_bytes \d/m);
  assert.ok(text.includes(`carol_build_info{version="${BUILD_INFO.version}",commit="${BUILD_INFO.commit}"} 1`));
});

test('requests are counted by the pattern of their route and by status', async (t) => {
  const app = build(t);
  app.get('/things/:id', async (request, reply) => reply.code(request.params.id === '1' ? 200 : 410).send());
  for (const url of ['/things/1', '/things/2?secret=x', '/things/3']) {
    await app.inject(url);
  }
  const text = await scrape(app);
  assert.match(text, /_count{method="GET",route="\/things\/:id",status="200"} 1$/m);
  assert.match(text, /_count{method="GET",route="\/things\/:id",status="410"} 2$/m);
  assert.match(text, /_bucket{le="\+Inf",method="GET",route="\/things\/:id",status="200"} 1$/m);
  assert.doesNotMatch(text, /secret|things\/[123]/);
});

test('unknown routes share one label value', async (t) => {
  const app = build(t);
  for (const url of ['/a', '/b?c=d', '/version/x']) {
    await app.inject(url);
  }
  const text = await scrape(app);
  assert.deepEqual(labels(text, 'route'), ['unmatched']);
  assert.match(text, /_count{method="GET",route="unmatched",status="404"} 3$/m);
});

test('time is measured in seconds', async (t) => {
  const app = build(t);
  app.get('/slow', async () => setTimeout(120, 'done'));
  await app.inject('/slow');
  const [, sum] = (await scrape(app)).match(/_sum{method="GET",route="\/slow",status="200"} (\S+)/);
  assert.ok(sum > 0.1 && sum < 30, sum);
});

test('two apps in one process do not share their numbers', async (t) => {
  const [one, other] = [build(t), build(t)];
  await one.inject('/healthz');
  assert.deepEqual(labels(await scrape(other), 'route'), []);
});
