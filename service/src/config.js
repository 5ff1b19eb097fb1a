// The environment, read once: every variable, its default and its allowed values.
//
// The rules are our own code and not a JSON schema, because schema libraries convert before they check: `1e3` and ` 80`
// would pass as ports, although the person who wrote them most likely meant something else.
import { isIP } from 'node:net';

/** Log levels that `LOG_LEVEL` may name; none of them turns the log off. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

const PREFIX = 'CAROL_';

// The upper bound of the shutdown timeout is below the 10 s after which `docker stop` kills the process.
const VARIABLES = {
  HOST: { key: 'host', fallback: '0.0.0.0', ...ipAddress() },
  PORT: { key: 'port', fallback: '3000', ...wholeNumber(0, 65535) },
  LOG_LEVEL: { key: 'logLevel', fallback: 'info', ...oneOf(LOG_LEVELS) },
  CAROL_REQUEST_TIMEOUT_MS: { key: 'requestTimeoutMs', fallback: '10000', ...wholeNumber(1000, 300000) },
  CAROL_SHUTDOWN_TIMEOUT_MS: { key: 'shutdownTimeoutMs', fallback: '8000', ...wholeNumber(100, 9500) },
  CAROL_DRAIN_MS: { key: 'drainMs', fallback: '0', ...wholeNumber(0, 5000) },
};

/**
 * Reads the configuration from an environment. Pure: it reads nothing but `env`.
 *
 * @param {Record<string, string | undefined>} env usually `process.env`
 * @returns {{ config: Config, problems: undefined } | { config: undefined, problems: string[] }}
 *   a frozen configuration, or every problem that was found, one sentence each
 *
 * @typedef {object} Config
 * @property {string} host address to listen on
 * @property {number} port port to listen on; 0 takes a free one
 * @property {string} logLevel one of `LOG_LEVELS`
 * @property {number} requestTimeoutMs time a client has to send a whole request, in milliseconds
 * @property {number} shutdownTimeoutMs time from the first signal to a forced end, in milliseconds
 * @property {number} drainMs time during which requests are still accepted after the first signal, in milliseconds
 */
export function readConfig(env) {
  const config = {};
  const problems = [];
  for (const [name, { key, fallback, expected, parse }] of Object.entries(VARIABLES)) {
    const text = env[name] ?? fallback;
    config[key] = parse(text);
    if (config[key] === undefined) {
      problems.push(`\`${name}\` is ${quote(text)}; expected ${expected}; unset it to get ${fallback}`);
    }
  }
  if (config.drainMs >= config.shutdownTimeoutMs) {
    problems.push(
      `\`CAROL_DRAIN_MS\` is ${config.drainMs}; expected less than \`CAROL_SHUTDOWN_TIMEOUT_MS\`, ` +
        `which is ${config.shutdownTimeoutMs}; lower the first or raise the second`,
    );
  }
  problems.push(...unknownVariables(env));
  return problems.length > 0 ? { problems } : { config: Object.freeze(config) };
}

function unknownVariables(env) {
  const known = Object.keys(VARIABLES).filter((name) => name.startsWith(PREFIX));
  const list = known.map((name) => `\`${name}\``).join(', ');
  // The message does not contain the value: a value under a wrong name may be a secret.
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name) && !isServiceLink(name, env[name]))
    .map((name) => `\`${name}\` is not known; expected one of ${list}; correct the name or unset it`);
}

// Kubernetes gives every pod variables named after the services around it. A service called `carol` or `carol-web`
// must not keep this one from starting.
function isServiceLink(name, value) {
  const byName = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
  return byName.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));
}

function wholeNumber(min, max) {
  return {
    expected: `a whole number from ${min} to ${max}, in plain digits`,
    parse: (text) => {
      const number = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : NaN;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

function oneOf(allowed) {
  return {
    expected: `one of ${allowed.join(', ')}`,
    parse: (text) => (allowed.includes(text) ? text : undefined),
  };
}

// A name such as `localhost` may stand for two addresses, but a server listens on one.
function ipAddress() {
  return {
    expected: 'an IP address such as 0.0.0.0, 127.0.0.1 or ::',
    parse: (text) => (isIP(text) ? text : undefined),
  };
}

function quote(text) {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(shown);
}
