import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { allRoutes } from '../../../src/web/api/definitions.ts';
import { describeApi } from '../../../src/web/api/openapi.ts';

type Json = Record<string, unknown>;

describe('the OpenAPI description', () => {
  const description = describeApi('Files of example.org');

  test('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(description));
    assert.deepEqual(result.errors ?? [], []);
    assert.equal(result.valid, true);
    assert.equal(validator.version, '3.1');
  });

  test('has every route once', () => {
    const operations = Object.values(description.paths as Record<string, Record<string, Json>>).flatMap(
      (path) => Object.values(path).map(({ operationId }) => operationId),
    );
    assert.deepEqual(operations.toSorted(), allRoutes.map(([id]) => id).toSorted());
  });

  test('refers only to schemas that it has', () => {
    const { schemas } = description.components as { schemas: Json };
    const references = [...JSON.stringify(description).matchAll(/"#\/components\/schemas\/([^"/]+)"/g)];
    assert.ok(references.length > 20);
    assert.deepEqual(
      references.map(([, name = '']) => name).filter((name) => !(name in schemas)),
      [],
    );
  });
});
