import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { uptime } from "@example/core";

const build = JSON.parse(readFileSync(new URL("../../../build.json", import.meta.url), "utf8")) as {
  version: string;
  commit: string;
};

const server = createServer((request, response) => {
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  if (request.url === "/healthz") send(200, { status: "ok", uptime: uptime(process.uptime() * 1000) });
  else if (request.url === "/version") send(200, { version: build.version, commit: build.commit });
  else send(404, { error: "not found" });
});
server.listen(Number(process.env["PORT"] ?? 3000), "0.0.0.0");
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
