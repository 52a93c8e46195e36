import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { needRestart } from '../../../src/config/restart.ts';
import { fault, faults, read } from './read.ts';

describe('who sends the files, in the config', () => {
  test('may be a web server, with nothing else to say', () => {
    for (const via of ['self', 'x-accel-redirect', 'x-sendfile'] as const) {
      assert.equal(read(`downloads: {via: ${via}}`).downloads.via, via);
    }
    const alone = 'download_url: https://files.example.org\ndownloads: {via: webserver}';
    assert.equal(read(alone).downloads.via, 'webserver');
  });

  test('must be told where links lead, if Porter serves nothing', () => {
    assert.match(fault('downloads: {via: webserver}'), /webserver needs download_url/);
  });

  test('cannot be a web server where the files are in a bucket', () => {
    const text = 'storage: {blobs: "s3://bucket"}\ndownloads: {via: x-sendfile}';
    assert.match(fault(text), /:2: downloads\.via: x-sendfile needs the blobs in a folder/);
  });

  test('may be S3 itself where the files are there, and only then', () => {
    const text = 'storage: {blobs: "s3://bucket"}\ndownloads: {via: presigned}';
    assert.equal(read(text).downloads.via, 'presigned');
    assert.match(fault('downloads: {via: presigned}'), /presigned needs the blobs on S3.*s3:\/\/ URL/s);
  });

  test('takes a prefix with a slash at its end, or adds it', () => {
    for (const given of ['/inside', '/inside/']) {
      const text = `downloads: {via: x-accel-redirect, internal_prefix: ${given}}`;
      assert.equal(read(text).downloads.internal_prefix, '/inside/');
    }
  });

  test('takes no prefix that could end a header or climb out of a folder by accident', () => {
    for (const given of ['inside/', '"/a b"', '"/a\\r\\nX: y"', '/a%2f', '/a?b']) {
      assert.equal(faults(`downloads: {via: x-sendfile, internal_prefix: ${given}}`).length, 1, given);
    }
  });

  test('has no use for a prefix where nobody is told of it', () => {
    assert.match(fault('downloads: {internal_prefix: /inside/}'), /only x-accel-redirect and x-sendfile/);
  });

  test('takes a restart to change', () => {
    const before = read('downloads: {via: x-sendfile}');
    assert.deepEqual(needRestart(before, read('downloads: {via: self}')), ['downloads.via']);
    assert.deepEqual(needRestart(before, read('downloads: {via: x-sendfile, internal_prefix: /a/}')), [
      'downloads.internal_prefix',
    ]);
    assert.deepEqual(needRestart(before, before), []);
  });
});
