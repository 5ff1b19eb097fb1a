// Answers with the results of both native modules, so that a missing or wrong binary fails the health check.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import Database from "better-sqlite3";
import sharp from "sharp";

const build = JSON.parse(readFileSync(new URL("../build.json", import.meta.url), "utf8"));
const database = new Database(":memory:");

async function health() {
  const { answer } = database.prepare("select 6 * 7 as answer").get();
  const picture = sharp({ create: { width: 2, height: 2, channels: 3, background: "red" } });
  const { size } = (await picture.png().toBuffer({ resolveWithObject: true })).info;
  return { status: "ok", architecture: process.arch, answer, size };
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
  database.close();
});
