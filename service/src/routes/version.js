// Which release this is, so that the running service can be compared with the signed image.

/**
 * Adds `GET /version`.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ buildInfo: { version: string, commit: string | null, source: string | null } }} options
 */
export async function versionRoute(app, { buildInfo }) {
  app.get('/version', async () => buildInfo);
}
