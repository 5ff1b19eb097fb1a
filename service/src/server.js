// The entry point: checks its environment and build information, listens, and stops on a signal.
import { buildApp } from './app.js';
import { readBuildInfo } from './build-info.js';
import { readConfig } from './config.js';
import { loggerOptions } from './logger.js';
import { stopOnSignals } from './shutdown.js';

const { config, problems } = readConfig(process.env);
if (problems) {
  refuse('the environment is wrong', problems);
}

const buildInfo = readBuildInfoOrRefuse();
const app = buildApp({ config, buildInfo, logger: loggerOptions(config.logLevel) });

process.on('uncaughtException', (error) => {
  app.log.fatal({ err: error }, 'unexpected error, ending');
  process.exit(1);
});
stopOnSignals(app, config);

try {
  await app.listen({ host: config.host, port: config.port });
  const { address, port } = app.server.address();
  app.log.info({ version: buildInfo.version, commit: buildInfo.commit, address, port }, 'started');
} catch (error) {
  const place = `${config.host}, port ${config.port}`;
  refuse('cannot listen', [`${place}: ${error.message}; choose another place with \`HOST\` and \`PORT\``]);
}

function readBuildInfoOrRefuse() {
  try {
    return readBuildInfo(new URL('../build.json', import.meta.url));
  } catch (error) {
    return refuse('the build information is wrong', [error.message]);
  }
}

// Plain text on stderr: at this point a person reads it, and there may be no valid log level yet.
function refuse(summary, details) {
  const lines = details.map((detail) => `  ${detail}\n`);
  process.stderr.write(`carol-service: not started, ${summary}\n${lines.join('')}`);
  process.exit(1);
}
