// A service that knows nothing of its release.
const http = require('node:http');
const { now } = require('./lib/now');

const server = http.createServer((request, response) => response.end(`${now()}\n`));
server.listen(process.env.PORT || 8080);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
