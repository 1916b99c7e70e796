/** Holds one moment of the source database open: a read-only transaction whose snapshot the parts adopt. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { Transient } from '../../libs/saga/failure.js';
import type { ExportResources } from '../resources.js';
import { exportSourceOf, type Context } from './context.js';
import { sourceFailure } from './failures.js';
import { refuseUnready } from './readiness.js';

/** A beat's answer is how the keeper hears that the parts are done, and the job's end waits for that. */
const BEAT_MS = 200;
/** Every so many beats the connection is tried: a silent cut of the network shows no other way. */
const BEATS_PER_PROBE = 15;
const PROBE_TIMEOUT_MS = 5_000;

/** Announces the snapshot and holds it until the signal; fails when the connection is lost. */
export async function keepSnapshot(resources: ExportResources, context: Context<'keep'>): Promise<void> {
  const exported = await exportSourceOf(resources, context);
  await refuseUnready(exported, context);
  const connection = exported.source.connection();
  const lost = new Promise<never>((_, reject) => {
    connection.on('error', (error) => reject(lostSnapshot(error)));
    connection.on('end', () => reject(lostSnapshot(undefined)));
  });
  // It is awaited in races only, and may be lost between two of them.
  lost.catch(() => undefined);
  try {
    const snapshot = await exportSnapshot(connection);
    context.progress({ message: `Rows are as of ${new Date().toISOString()}.` });
    await context.ready({ snapshot });
    await beat(connection, lost, context);
  } finally {
    await connection.end().catch(() => undefined);
  }
}

async function exportSnapshot(connection: pg.Client): Promise<string> {
  try {
    await connection.connect();
    await connection.query('begin isolation level repeatable read, read only');
    const { rows } = await connection.query<{ snapshot: string }>('select pg_export_snapshot() as snapshot');
    const [row] = rows;
    if (!row) throw new Error('pg_export_snapshot() answered no row');
    return row.snapshot;
  } catch (error) {
    throw sourceFailure(error);
  }
}

async function beat(connection: pg.Client, lost: Promise<never>, context: Context<'keep'>): Promise<void> {
  const { signal } = context;
  for (let beats = 1; !signal.aborted; beats += 1) {
    context.heartbeat();
    await Promise.race([lost, sleep(BEAT_MS, undefined, { signal }).catch(() => undefined)]);
    if (beats % BEATS_PER_PROBE === 0 && !signal.aborted) await Promise.race([lost, probe(connection)]);
  }
}

async function probe(connection: pg.Client): Promise<void> {
  const inTime = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  const silent = new Promise<never>((_, reject) => {
    inTime.addEventListener('abort', () => reject(lostSnapshot(inTime.reason)));
  });
  await Promise.race([silent, connection.query('select')]).catch((error: unknown) => {
    throw lostSnapshot(error);
  });
}

function lostSnapshot(cause: unknown): Transient {
  return new Transient('snapshot_lost', 'The connection that held the snapshot was lost.', {
    certainty: 'no',
    cause,
  });
}
