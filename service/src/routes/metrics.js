// The metrics in Prometheus' text format.

/**
 * Adds `GET /metrics`.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ registry: import('@prometheus-io/client').Registry }} options
 */
export async function metricsRoute(app, { registry }) {
  app.get('/metrics', { logLevel: 'warn' }, async (_request, reply) => {
    const text = await registry.metrics();
    return reply.type(registry.contentType).send(text);
  });
}
