// The file that the image build writes: absent, valid, or wrong in one of many ways.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBuildInfo } from '../src/build-info.js';
import { BUILD_INFO, temporaryDirectory } from './helper.js';

function fileWith(t, text) {
  const file = join(temporaryDirectory(t), 'build.json');
  writeFileSync(file, text);
  return file;
}

test('without the file it is an unreleased version', (t) => {
  const info = readBuildInfo(join(temporaryDirectory(t), 'build.json'));
  assert.deepEqual(info, { version: '0.0.0-dev', commit: null, source: null });
});

test('the file gives version, commit and source, and nothing else', (t) => {
  const file = fileWith(t, JSON.stringify({ ...BUILD_INFO, builder: 'x' }));
  assert.deepEqual(readBuildInfo(file), BUILD_INFO);
});

test('a pre-release is a version', (t) => {
  const file = fileWith(t, JSON.stringify({ ...BUILD_INFO, version: '1.0.0-rc.1' }));
  assert.equal(readBuildInfo(file).version, '1.0.0-rc.1');
});

const NO_OBJECTS = { empty: '', cut: '{"version":"1.2', 'a list': '[]', null: 'null', 'a string': '"1.2.3"' };

for (const [name, text] of Object.entries(NO_OBJECTS)) {
  test(`a file that is ${name} is refused with its name`, (t) => {
    const file = fileWith(t, text);
    assert.throws(() => readBuildInfo(file), (error) => error.message.startsWith(`\`${file}\` is malformed: `));
  });
}

for (const [field, value] of [
  ['version', 'v1.2.3'],
  ['version', '${VERSION}'],
  ['version', ''],
  ['version', undefined],
  ['commit', '0123456789ab'],
  ['commit', null],
  ['source', 'git@forge.example.org:acme/carol'],
  ['source', 7],
]) {
  test(`a ${field} of ${JSON.stringify(value)} is refused`, (t) => {
    const file = fileWith(t, JSON.stringify({ ...BUILD_INFO, [field]: value }));
    assert.throws(() => readBuildInfo(file), new RegExp(`malformed: \`${field}\` is [^;]*, expected [^;]*; expected`));
  });
}

test('a file that cannot be read is refused and not taken for absent', (t) => {
  assert.throws(() => readBuildInfo(temporaryDirectory(t)), /cannot read `.*`: EISDIR/);
});
