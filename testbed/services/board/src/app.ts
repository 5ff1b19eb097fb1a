// The few parts of a web framework that this service uses: routes, files, and a handler for errors.
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join, normalize } from "node:path";

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

export class App {
  #routes = new Map<string, Handler>();
  #files: string | undefined;

  get(path: string, handler: Handler): this {
    this.#routes.set(path, handler);
    return this;
  }

  // Answers with the files of a directory, which is relative to the working directory.
  static(directory: string): this {
    this.#files = directory;
    return this;
  }

  listen(port: number): Server {
    return createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(`${error}\n`);
      });
    }).listen(port, "0.0.0.0");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const route = this.#routes.get(pathname);
    if (route !== undefined) return route(request, response);
    if (this.#files === undefined) {
      response.writeHead(404).end();
      return;
    }
    const name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const file = await readFile(join(this.#files, normalize(name))).catch(() => undefined);
    response.writeHead(file === undefined ? 404 : 200).end(file);
  }
}
