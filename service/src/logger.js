// The form of the log: one JSON object per line on stdout, with or without a terminal.

// The logger's own stream writes in the background: when the process ends, its last lines can be out of order or
// missing, and those lines say why it ended. `process.stdout` has written a line when the call returns.
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
