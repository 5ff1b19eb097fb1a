import { readFile, readdir } from "node:fs/promises";

import ms from "ms";

import { App } from "./app.js";

const config = JSON.parse(await readFile("config/default.json", "utf8")) as { port: number; title: string };

// Everything that the service needs beside its code has to be there.
async function parts(): Promise<{ migrations: number; page: number }> {
  const page = await readFile("public/index.html", "utf8");
  return { migrations: (await readdir("migrations")).length, page: page.length };
}

const server = new App()
  .get("/health", async (_request, response) => {
    const found = await parts();
    const status = found.migrations > 0 && found.page > 0 ? 200 : 503;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ title: config.title, uptime: ms(process.uptime() * 1000), ...found }));
  })
  .static("public")
  .listen(Number(process.env["PORT"] ?? config.port));

process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
