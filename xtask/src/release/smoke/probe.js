// Queries the service by its name in its network, and prints one line of JSON. Runs on the image's own node, of
// whatever version, so it uses only what every node has. The last argument says what to query.
const http = require('http');
const { host, port, health, version, patience } = JSON.parse(process.argv[process.argv.length - 1]);
const deadline = Date.now() + patience;
const MOST = 65536;

function get(path) {
  return new Promise((resolve) => {
    let status;
    let body = '';
    const done = (error) => {
      clearTimeout(timer);
      resolve(error ? { error: String(error.message || error) } : { status, body });
    };
    const headers = { host: `localhost:${port}` };
    const request = http.get({ host, port, path, headers, agent: false }, (response) => {
      status = response.statusCode;
      response.setEncoding('utf8');
      response.on('data', (part) => {
        if (body.length < MOST) body += part.slice(0, MOST);
      });
      response.on('end', () => done());
      response.on('error', done);
      response.on('aborted', () => done(new Error('the answer ended before its end')));
    });
    const timer = setTimeout(() => request.destroy(new Error('no whole answer within 5 s')), 5000);
    request.on('error', done);
  });
}

(async () => {
  let answer = await get(health);
  while (answer.status !== 200 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    answer = await get(health);
  }
  const result = { health: answer };
  if (answer.status === 200 && version) result.version = await get(version);
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
})();
