// Answers with the result of a native module, so that a missing or wrong binary fails the health check. It also
// says which C library node uses: node's report has a glibc version only with glibc.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import sharp from "sharp";

const build = JSON.parse(readFileSync(new URL("../build.json", import.meta.url), "utf8"));
const libc = process.report.getReport().header.glibcVersionRuntime ? "glibc" : "musl";

async function health() {
  const picture = sharp({ create: { width: 2, height: 2, channels: 3, background: "red" } });
  const { size } = (await picture.png().toBuffer({ resolveWithObject: true })).info;
  return { status: "ok", libc, size };
}

async function answer(request, response) {
  const send = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  if (request.url === "/healthz") send(200, await health());
  else if (request.url === "/version") send(200, { version: build.version, commit: build.commit });
  else send(404, { error: "not found" });
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.listen(Number(process.env.PORT ?? 3000), "0.0.0.0");
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
