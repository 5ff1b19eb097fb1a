// What is measured: the process itself, which build it is, and how long requests take.
import { collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client';

/**
 * Makes the metrics of one app, in a separate registry, so that two apps in one process do not share them.
 *
 * @param {{ version: string, commit: string | null }} buildInfo shown as `carol_build_info`
 * @returns {{ registry: Registry, observe: (request: object, reply: object) => void }} `observe` belongs into an
 *   `onResponse` hook
 */
export function createMetrics({ version, commit }) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'carol_build_info',
    help: 'Always 1; the labels say which build is running.',
    labelNames: ['version', 'commit'],
    registers,
  }).set({ version, commit: commit ?? '' }, 1);
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request line to the last byte of the response.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const observe = (request, reply) => {
    // Never the URL: clients would decide how many series there are.
    const route = request.is404 ? 'unmatched' : request.routeOptions.url;
    duration.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  };
  return { registry, observe };
}
