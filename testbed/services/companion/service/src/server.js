// Counts visits in redis, and keeps the last answer below /tmp: a service that needs a database, its address, and a
// writable directory.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createClient } from 'redis';

const address = process.env.REDIS_URL;
if (!address) {
  process.stderr.write('visits: not started: `REDIS_URL` is not set; set it to redis://HOST:6379\n');
  process.exit(1);
}

// build.json only exists where the image is built.
const build = JSON.parse(readFileSync(new URL('../build.json', import.meta.url), 'utf8'));
const last = `${mkdtempSync('/tmp/visits-')}/last`;
const redis = createClient({ url: address, socket: { connectTimeout: 2000 } });
redis.on('error', (error) => process.stderr.write(`visits: redis: ${error.message}\n`));
await redis.connect();

const routes = {
  '/healthz': async () => ({ status: (await redis.ping()) === 'PONG' ? 'ok' : 'failing' }),
  '/version': async () => build,
  '/visits': async () => {
    const visits = await redis.incr('visits');
    writeFileSync(last, `${visits}\n`);
    return { visits, last: Number(readFileSync(last, 'utf8')) };
  },
};

const server = createServer((request, response) => {
  const send = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const route = routes[request.url];
  if (!route) {
    send(404, { error: 'no such route' });
    return;
  }
  route().then(
    (body) => send(200, body),
    (error) => send(503, { error: error.message }),
  );
});
server.listen(Number(process.env.PORT ?? 8080), '0.0.0.0');

// Like many frameworks and init processes, it exits with a code that names the signal.
process.on('SIGTERM', () => {
  server.close(() => {
    redis.destroy();
    process.exit(128 + 15);
  });
  server.closeIdleConnections();
});
