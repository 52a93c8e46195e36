import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { openFsBlobs } from '../../src/blobs/fs/fs-blobs.ts';
import { openS3Blobs } from '../../src/blobs/s3/s3-blobs.ts';
import { openPostgresLedger } from '../../src/ledger/postgres/open.ts';
import { needs } from '../real/peers/peers.ts';
import { type PostgresServer, startPostgres } from '../real/peers/postgres.ts';
import { type S3Server, startS3 } from '../real/peers/s3.ts';
import { faultSuite } from './faults/faults.ts';

const folder = mkdtempSync(join(tmpdir(), 'porter-faults-'));
after(() => rm(folder, { recursive: true }));

describe('Faults on PostgreSQL', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres?.remove());

  const openLedger = async () =>
    openPostgresLedger({ url: await postgres.createSchema(), sync: true, connections: 4 });

  faultSuite('PostgreSQL and disk', {
    folder: () => folder,
    without: ['import blobs.put'],
    async open() {
      const ledger = await openLedger();
      const root = await mkdtemp(join(folder, 'blobs-'));
      const blobs = openFsBlobs({ root, sync: false });
      return { ledger, blobs, close: async () => void (await Promise.all([ledger.close(), blobs.close()])) };
    },
  });

  describe('with S3', { skip: needs('ceph') }, () => {
    let s3: S3Server;
    before(async () => {
      s3 = await startS3();
      Object.assign(process.env, s3.env);
    });
    after(() => s3?.remove());

    faultSuite('PostgreSQL and S3', {
      folder: () => folder,
      without: ['import blobs.linkFile', 'move source.ledger.unpublished'],
      async open() {
        const ledger = await openLedger();
        const bucket = await s3.createBucket();
        const { endpoint } = s3;
        const blobs = await openS3Blobs({
          bucket,
          prefix: '',
          endpoint,
          publicEndpoint: null,
          region: null,
          pathStyle: true,
          create: false,
        });
        return {
          ledger,
          blobs,
          close: async () => void (await Promise.all([ledger.close(), blobs.close()])),
        };
      },
    });
  });
});
