// How the service stops: it finishes the requests in flight and exits, within the allowed time.
import { setTimeout as wait } from 'node:timers/promises';

const SIGNALS = ['SIGTERM', 'SIGINT'];
const SWEEP_INTERVAL_MS = 25;

/**
 * Stops the app and ends the process on SIGTERM or SIGINT: exit code 0 when everything in flight was answered, 1 on a
 * second signal, at the deadline, or when closing fails. The handlers are explicit because the kernel does not apply
 * a signal's default action to process 1 of a container.
 *
 * @param {import('fastify').FastifyInstance} app not yet listening
 * @param {{ drainMs: number, shutdownTimeoutMs: number }} config both in milliseconds from the first signal
 */
export function stopOnSignals(app, { drainMs, shutdownTimeoutMs }) {
  const inFlight = trackRequests(app.server);
  const abort = (reason) => {
    app.log.error({ inFlight: inFlight.size }, reason);
    process.exit(1);
  };

  const stop = async (signal) => {
    app.lifecycle.stopping = true;
    app.log.info({ signal, inFlight: inFlight.size }, 'stopping');
    setTimeout(abort, shutdownTimeoutMs, `did not stop within ${shutdownTimeoutMs} ms, giving up`);
    await wait(drainMs);
    await closeApp(app, inFlight);
    app.log.info('stopped');
    process.exit(0);
  };

  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (app.lifecycle.stopping) {
        abort(`second signal, ${signal}: not waiting any longer`);
      }
      stop(signal).catch((error) => {
        app.log.error({ err: error }, 'could not stop cleanly');
        process.exit(1);
      });
    });
  }
}

function trackRequests(server) {
  const inFlight = new Set();
  server.prependListener('request', (_request, response) => {
    inFlight.add(response);
    response.once('close', () => inFlight.delete(response));
  });
  return inFlight;
}

// A closing server waits for connections that have not sent a whole request yet, and for those that were told to stay
// open by an answer already under way. No client waits for an answer on either, so they must not delay the exit.
async function closeApp(app, inFlight) {
  const sweep = setInterval(() => {
    if (inFlight.size === 0) {
      app.server.closeAllConnections();
    }
  }, SWEEP_INTERVAL_MS);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
  }
}
