// Which release this is, so that what runs can be compared with what was signed.

/**
 * Adds `GET /version`.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ buildInfo: { version: string, commit: string | null, source: string | null } }} options
 */
export async function versionRoute(app, { buildInfo }) {
  app.get('/version', async () => buildInfo);
}
