// Greets with the words of a package that only this project's own registry has.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { greeting } from '@acme/greeting';

// build.json only exists where the image is built.
const build = JSON.parse(readFileSync(new URL('../build.json', import.meta.url), 'utf8'));
const answers = {
  '/healthz': { status: 'ok' },
  '/version': build,
  '/greeting': { greeting: greeting('world') },
};

const server = createServer((request, response) => {
  const answer = answers[request.url];
  response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer ?? { error: 'no such route' }));
});
server.listen(Number(process.env.PORT ?? 3000), '0.0.0.0');

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
