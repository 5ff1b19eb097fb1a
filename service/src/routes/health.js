// Whether the process is alive (`/healthz`) and whether it is ready for new requests (`/readyz`).

// Probes come every few seconds: only their failures are worth a log line.
const options = { logLevel: 'warn' };

/**
 * Adds the probes.
 *
 * @param {import('fastify').FastifyInstance} app its `lifecycle.stopping` decides whether it is ready
 */
export async function healthRoutes(app) {
  app.get('/healthz', options, async () => ({ status: 'ok' }));

  app.get('/readyz', options, async (_request, reply) => {
    if (app.lifecycle.stopping) {
      return reply.code(503).send({ status: 'stopping' });
    }
    return { status: 'ready' };
  });
}
