import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { pictureKind } from '../../../src/policy/media-type.ts';
import { gifSample, jpegSample, pngSample } from '../../support/picture-samples.ts';
import { tinyWebp } from '../../support/pictures.ts';

const ftyp = (major: string, ...compatible: string[]) => {
  const box = Buffer.from(`\0\0\0\0ftyp${major}\0\0\0\0${compatible.join('')}`, 'latin1');
  box.writeUInt32BE(box.length);
  return Buffer.concat([box, Buffer.from('\0\0\0\0meta', 'latin1')]);
};

test('pictures are recognised by their first bytes', () => {
  assert.equal(pictureKind(jpegSample(10, 10)), 'jpeg');
  assert.equal(pictureKind(pngSample(10, 10)), 'png');
  assert.equal(pictureKind(gifSample(10, 10)), 'gif');
  assert.equal(pictureKind(tinyWebp()), 'webp');
  assert.equal(pictureKind(ftyp('avif', 'mif1', 'miaf')), 'avif');
  assert.equal(pictureKind(ftyp('mif1', 'avif')), 'avif');
});

test('encrypted and unsafe files are no pictures, whatever their names say', () => {
  const none = [
    '<svg xmlns="http://www.w3.org/2000/svg"/>',
    '<!doctype html>',
    '%PDF-1.7',
    'II*\0',
    'BM',
    '',
  ];
  for (const text of none) assert.equal(pictureKind(Buffer.from(text, 'latin1')), undefined, text);
  assert.equal(pictureKind(ftyp('heic', 'mif1')), undefined);
  assert.equal(pictureKind(ftyp('isom', 'mp42')), undefined);
  // The first bytes of an encrypted file are random. These are no signature.
  assert.equal(pictureKind(Buffer.concat([Buffer.from([1]), randomBytes(63)])), undefined);
});
