// The environment: which values are accepted, and which are refused with which message.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../src/config.js';

const problemsOf = (env) => readConfig(env).problems ?? [];

test('an empty environment gives the defaults, reachable from outside a container', () => {
  assert.deepEqual(readConfig({}).config, {
    host: '0.0.0.0',
    port: 3000,
    logLevel: 'info',
    requestTimeoutMs: 10000,
    shutdownTimeoutMs: 8000,
    drainMs: 0,
  });
});

test('every variable is taken, and what belongs to others is left alone', () => {
  const env = {
    HOST: '::',
    PORT: '0',
    LOG_LEVEL: 'debug',
    CAROL_REQUEST_TIMEOUT_MS: '1000',
    CAROL_SHUTDOWN_TIMEOUT_MS: '9500',
    CAROL_DRAIN_MS: '5000',
    PATH: '/usr/bin',
    CAROLINE: 'somebody',
  };
  assert.deepEqual(Object.values(readConfig(env).config), ['::', 0, 'debug', 1000, 9500, 5000]);
});

for (const port of ['abc', '70000', '65536', '3000.5', '1e3', ' 80', '80 ', '080', '-1', '+1', '0x50', '']) {
  test(`a port of ${JSON.stringify(port)} is refused with the variable, the value and the range`, () => {
    const [problem, ...others] = problemsOf({ PORT: port });
    const start = `\`PORT\` is ${JSON.stringify(port)}; expected a whole number from 0 to 65535, `;
    assert.ok(problem.startsWith(start), problem);
    assert.deepEqual(others, []);
  });
}

for (const level of ['loud', 'silent', 'INFO', '']) {
  test(`a log level of ${JSON.stringify(level)} is refused with the levels that exist`, () => {
    const problems = problemsOf({ LOG_LEVEL: level });
    assert.equal(problems.length, 1);
    assert.match(problems[0], /^`LOG_LEVEL` is ".*"; expected one of trace, debug, info, warn, error, fatal;/);
  });
}

for (const host of ['localhost', '127.0.0', 'http://0.0.0.0', '']) {
  test(`a host of ${JSON.stringify(host)} is refused`, () => {
    assert.match(problemsOf({ HOST: host }).join(), /^`HOST` is ".*"; expected an IP address/);
  });
}

test('a time to stop of 10 s or more is refused, for it would be cut off by a kill', () => {
  assert.match(problemsOf({ CAROL_SHUTDOWN_TIMEOUT_MS: '10000' }).join(), /expected a whole number from 100 to 9500/);
});

test('draining for longer than stopping may take is refused', () => {
  const problems = problemsOf({ CAROL_DRAIN_MS: '2000', CAROL_SHUTDOWN_TIMEOUT_MS: '2000' });
  assert.match(problems.join(), /^`CAROL_DRAIN_MS` is 2000; expected less than `CAROL_SHUTDOWN_TIMEOUT_MS`/);
});

test('a misspelt variable is refused without showing its value', () => {
  const problems = problemsOf({ CAROL_DRAIN_SM: 'hunter2' });
  assert.match(problems.join(), /^`CAROL_DRAIN_SM` is not known; expected one of .*`CAROL_DRAIN_MS`/);
  assert.doesNotMatch(problems.join(), /hunter2/);
});

test('the plain names with the prefix are refused as well', () => {
  assert.equal(problemsOf({ CAROL_PORT: '80', CAROL_LOG_LEVEL: 'info' }).length, 2);
});

test('the variables that Kubernetes makes from the names of services are no misspelling', () => {
  const env = {
    CAROL_SERVICE_HOST: '10.0.0.1',
    CAROL_SERVICE_PORT: '3000',
    CAROL_SERVICE_PORT_HTTP: '3000',
    CAROL_PORT: 'tcp://10.0.0.1:3000',
    CAROL_PORT_3000_TCP: 'tcp://10.0.0.1:3000',
    CAROL_PORT_3000_TCP_PROTO: 'tcp',
    CAROL_WEB_PORT_80_TCP_ADDR: '10.0.0.2',
  };
  assert.deepEqual(problemsOf(env), []);
});

test('all problems are told at once', () => {
  const problems = problemsOf({ HOST: 'x', PORT: 'x', LOG_LEVEL: 'x', CAROL_DRAIN_MS: 'x', CAROL_X: 'x' });
  const names = problems.map((problem) => problem.split('`')[1]);
  assert.deepEqual(names, ['HOST', 'PORT', 'LOG_LEVEL', 'CAROL_DRAIN_MS', 'CAROL_X']);
});

test('a very long value is cut in the message', () => {
  assert.ok(problemsOf({ LOG_LEVEL: 'x'.repeat(10_000) })[0].length < 300);
});
