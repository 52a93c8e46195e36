import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findRestartOptions } from '../../../src/config/restart-options.ts';
import { configProblemText, listConfigProblems, parseTestConfig } from './parse-test-config.ts';

describe('downloads in the config', () => {
  test('may be sent by a web server without more options', () => {
    for (const via of ['self', 'x-accel-redirect', 'x-sendfile'] as const) {
      assert.equal(parseTestConfig(`downloads: {via: ${via}}`).downloads.via, via);
    }
    const alone = 'download_url: https://files.example.org\ndownloads: {via: webserver}';
    assert.equal(parseTestConfig(alone).downloads.via, 'webserver');
  });

  test('needs download_url if Porter serves no files', () => {
    assert.match(configProblemText('downloads: {via: webserver}'), /webserver needs download_url/);
  });

  test('cannot be a web server where the files are in a bucket', () => {
    const text = 'storage: {blobs: "s3://bucket"}\ndownloads: {via: x-sendfile}';
    assert.match(configProblemText(text), /:2: downloads\.via: x-sendfile needs the blobs in a folder/);
  });

  test('may be S3 itself where the files are there, and only then', () => {
    const text = 'storage: {blobs: "s3://bucket"}\ndownloads: {via: presigned}';
    assert.equal(parseTestConfig(text).downloads.via, 'presigned');
    assert.match(
      configProblemText('downloads: {via: presigned}'),
      /presigned needs the blobs on S3.*s3:\/\/ URL/s,
    );
  });

  test('takes a prefix with a slash at its end, or adds it', () => {
    for (const given of ['/inside', '/inside/']) {
      const text = `downloads: {via: x-accel-redirect, internal_prefix: ${given}}`;
      assert.equal(parseTestConfig(text).downloads.internal_prefix, '/inside/');
    }
  });

  test('takes no prefix that could end a header or climb out of a folder by accident', () => {
    for (const given of ['inside/', '"/a b"', '"/a\\r\\nX: y"', '/a%2f', '/a?b']) {
      assert.equal(
        listConfigProblems(`downloads: {via: x-sendfile, internal_prefix: ${given}}`).length,
        1,
        given,
      );
    }
  });

  test('refuses a prefix that is not used', () => {
    assert.match(
      configProblemText('downloads: {internal_prefix: /inside/}'),
      /only x-accel-redirect and x-sendfile/,
    );
  });

  test('takes a restart to change', () => {
    const before = parseTestConfig('downloads: {via: x-sendfile}');
    assert.deepEqual(findRestartOptions(before, parseTestConfig('downloads: {via: self}')), [
      'downloads.via',
    ]);
    assert.deepEqual(
      findRestartOptions(before, parseTestConfig('downloads: {via: x-sendfile, internal_prefix: /a/}')),
      ['downloads.internal_prefix'],
    );
    assert.deepEqual(findRestartOptions(before, before), []);
  });
});
