// The app: routes, errors and limits. It does not listen, so that tests can use it without a port.
import { STATUS_CODES } from 'node:http';
import Fastify from 'fastify';
import { createMetrics } from './metrics.js';
import { healthRoutes } from './routes/health.js';
import { metricsRoute } from './routes/metrics.js';
import { versionRoute } from './routes/version.js';

const BODY_LIMIT_BYTES = 64 * 1024;

// Longer than the 60 s after which common proxies drop an idle upstream connection: if the service closes it first, a
// request that is already on its way is lost.
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/**
 * Builds the app.
 *
 * @param {object} options
 * @param {{ requestTimeoutMs: number }} options.config
 * @param {{ version: string, commit: string | null, source: string | null }} options.buildInfo
 * @param {boolean | object} [options.logger] Fastify's logger option; no log when left out
 * @returns {import('fastify').FastifyInstance} not yet ready, so routes can still be added
 */
export function buildApp({ config, buildInfo, logger = false }) {
  const app = Fastify({ logger, bodyLimit: BODY_LIMIT_BYTES, ...timeouts(config) });
  const metrics = createMetrics(buildInfo);

  app.decorate('lifecycle', { stopping: false });
  app.addHook('onSend', async (_request, reply) => {
    if (app.lifecycle.stopping) {
      reply.header('connection', 'close');
    }
  });
  app.addHook('onResponse', async (request, reply) => metrics.observe(request, reply));
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404, 'no such route'));
  app.setErrorHandler(handleError);

  app.register(healthRoutes);
  app.register(versionRoute, { buildInfo });
  app.register(metricsRoute, { registry: metrics.registry });
  return app;
}

function timeouts({ requestTimeoutMs }) {
  return {
    requestTimeout: requestTimeoutMs,
    // For connections that go silent in any state, including a client that does not read its answer.
    connectionTimeout: 2 * requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: {
      headersTimeout: Math.ceil(requestTimeoutMs / 2),
      // By default Node checks only every 30 s, so it would enforce shorter timeouts too late.
      connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 10),
    },
  };
}

function handleError(error, request, reply) {
  const status = error?.statusCode >= 400 ? error.statusCode : 500;
  if (status < 500) {
    return sendError(reply, status, error.message);
  }
  // Only the log gets the cause of an internal error: it may contain addresses, queries or secrets.
  request.log.error({ err: error }, 'request failed');
  const message = 'the service could not answer; its log has the reason under this request id';
  return sendError(reply, status, message, request.id);
}

function sendError(reply, statusCode, message, requestId) {
  return reply.code(statusCode).send({ statusCode, error: STATUS_CODES[statusCode], message, requestId });
}
