// How the log looks: one JSON object a line on stdout, with a terminal or without one.

// The logger's own stream writes in the background: when the process ends, the last lines can come out of order or not
// at all, and they are the ones that say why it ended. `process.stdout` has written a line when the call returns.
const stream = process.stdout;

/**
 * Options for Fastify's logger.
 *
 * @param {string} level the lowest level that is written
 * @returns {object} options with level names instead of numbers and RFC 3339 times in UTC
 */
export function loggerOptions(level) {
  return {
    level,
    stream,
    formatters: { level: (label) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
}
