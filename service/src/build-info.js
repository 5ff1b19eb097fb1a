// Which release this copy of the service is: its version and commit, from the file that the image build writes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// A checkout has no such file: it is not a release, and must not look like one.
const UNRELEASED = Object.freeze({ version: '0.0.0-dev', commit: null, source: null });

const RULES = {
  version: { pattern: /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, expected: 'a version such as "1.2.3" or "1.2.3-rc.1"' },
  commit: { pattern: /^([0-9a-f]{40}|[0-9a-f]{64})$/, expected: 'a full commit id in lower-case hex' },
  source: { pattern: /^https?:\/\/[^\s/]+/, expected: 'the http(s) address of the repository' },
};

/**
 * Reads `build.json`.
 *
 * @param {string | URL} file where it is
 * @returns {{ version: string, commit: string | null, source: string | null }} frozen; `0.0.0-dev` and nulls when
 *   there is no such file
 * @throws {Error} when it cannot be read or is malformed; the message names the file and every wrong field
 */
export function readBuildInfo(file) {
  const name = file instanceof URL ? fileURLToPath(file) : file;
  const text = readIfThere(name);
  if (text === undefined) {
    return UNRELEASED;
  }
  const fields = parseObject(name, text);
  const problems = Object.entries(RULES)
    .filter(([key, { pattern }]) => typeof fields[key] !== 'string' || !pattern.test(fields[key]))
    .map(([key, { expected }]) => `\`${key}\` is ${JSON.stringify(fields[key]) ?? 'missing'}, expected ${expected}`);
  if (problems.length > 0) {
    throw malformed(name, problems.join('; '));
  }
  const { version, commit, source } = fields;
  return Object.freeze({ version, commit, source });
}

function readIfThere(name) {
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') {
      return undefined;
    }
    throw new Error(`cannot read \`${name}\`: ${error.code}; build the image again`, { cause: error });
  }
}

function parseObject(name, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformed(name, error.message, error);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw malformed(name, 'found no JSON object');
  }
  return value;
}

function malformed(name, found, cause) {
  const expected = 'expected {"version", "commit", "source"} as the image build writes them';
  return new Error(`\`${name}\` is malformed: ${found}; ${expected}; build the image again`, { cause });
}
