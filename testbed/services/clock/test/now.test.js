const assert = require('node:assert');
const test = require('node:test');
const { now } = require('../lib/now');

test('the time is one that a program reads', () => {
  assert.ok(Number.isFinite(Date.parse(now())));
});
