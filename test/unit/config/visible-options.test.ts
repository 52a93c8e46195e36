import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { visibleOptions } from '../../../src/config/visible-options.ts';
import { parseTestConfig } from './parse-test-config.ts';

const visible = (text: string) => JSON.stringify(visibleOptions(parseTestConfig(text)));

describe('the options that the web page shows', () => {
  test('contain no secrets', () => {
    const shown = visible(
      'public_url: https://upload.example.org\ncomponent: {jid: upload.example.org, secret: s3cret}',
    );
    assert.doesNotMatch(shown, /s3cret/);
    assert.match(shown, /upload\.example\.org/);
  });

  for (const url of [
    'postgres://porter:s3cret@db.example.org/porter',
    'postgres://db.example.org/porter?user=porter&password=s3cret&sslmode=require',
    'postgres://db.example.org/porter?PASSWORD=s3cret',
  ]) {
    test(`contain no password of ${url}`, () => {
      const shown = visible(`storage: {ledger: '${url}'}`);
      assert.doesNotMatch(shown, /s3cret/);
      assert.match(shown, /db\.example\.org\/porter/);
    });
  }

  test('contain no token in the query of the callback URL', () => {
    const shown = visible(
      "component: {jid: a.example.org, secret: c}\npublic_url: https://a.example.org\nmessages: {callback_url: 'https://bot.example.org/in?access_token=s3cret&kind={kind}'}",
    );
    assert.doesNotMatch(shown, /s3cret/);
    assert.match(shown, /&kind=\{kind\}/);
  });
});
