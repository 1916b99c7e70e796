/** The relay: carries what was accepted from the outbox to the engine, and sees to it that the two agree. */
import type { ArtifactStore } from '../../libs/artifacts/artifact-store.js';
import { openArtifactStore } from '../../libs/artifacts/open-artifact-store.js';
import { sweepArtifacts } from '../../libs/artifacts/sweeper.js';
import { readSettings } from '../../libs/config/settings.js';
import { DECISION_LIMITS, dispatchDecisions } from '../../libs/outbox/decisions.dispatcher.js';
import { DISPATCH_LIMITS, type Dispatcher } from '../../libs/outbox/dispatcher.js';
import { listenToOutbox } from '../../libs/outbox/listener.js';
import { measureOutbox, measureParks } from '../../libs/outbox/outbox.store.js';
import { reconcile, RECONCILE_LIMITS } from '../../libs/outbox/reconciler.js';
import { LOOP_PACE, startRelayLoop } from '../../libs/outbox/relay.loop.js';
import { createRelayMetrics, type RelayMetrics } from '../../libs/outbox/relay.metrics.js';
import { onlyOne, startSchedule, type Round } from '../../libs/outbox/schedule.js';
import { sweepLists } from '../../libs/emails/recipient-lists.store.js';
import { sweepIdempotency, sweepOutbox } from '../../libs/outbox/sweeper.js';
import { dispatchSchedules, reconcileSchedules } from '../../libs/schedules/schedule-sync.js';
import { createTenantCipher } from '../../libs/security/tenant-cipher.js';
import { openDatabase, type Database } from '../../libs/store/database.js';
import { createLogger, type Logger } from '../../libs/telemetry/logger.js';
import { registry, serveMetrics } from '../../libs/telemetry/metrics.js';
import { announceReady } from '../../libs/telemetry/ready.js';
import { onShutdown } from '../../libs/telemetry/shutdown.js';
import { connectTemporal, type EngineClient } from '../../libs/temporal/connection.js';
import { ensureSearchAttributes } from '../../libs/temporal/search-attributes.js';
import { definitions } from '../../workflows/index.js';

const SHUTDOWN_GRACE_MS = 20_000;
/** Two batches, schedules, the reconciler and a sweep with their locks: what may need a connection at the same time. */
const CONNECTIONS_MIN = 8;
const QUERY_TIMEOUT_MS = 30_000;
/** An upload of a list that is not done by then never will be. */
const UPLOAD_KEPT_MS = 3_600_000;
const SETUP_TIMEOUT_MS = 3_000;
const MEASURE_EVERY_MS = 2_000;
const RECONCILE_EVERY_MS = 30_000;
const SWEEP_FIRST_AFTER_MS = 60_000;
const SWEEP_EVERY_MS = 300_000;

/** Runs the relay until the process is asked to end. It starts, and stays, with database or engine away. */
export async function run(): Promise<void> {
  const settings = readSettings();
  const logger = createLogger('relay', settings.logLevel);
  const database = openDatabase(settings.databaseUrl.relay, 'relay', {
    max: Math.max(CONNECTIONS_MIN, settings.databasePoolMax),
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    onError: (error) => logger.debug({ err: error }, 'An idle database connection was lost'),
  });
  const cipher = createTenantCipher(database, settings.masterKey);
  // One attempt a call: the loop itself backs off.
  const engine = connectTemporal(settings, { cipher, database }, { attemptsMax: 1 });
  const store = await openArtifactStore(settings);
  const metrics = createRelayMetrics(registry);
  const metricsServer = await serveMetrics(settings.metricsPort, settings.host);

  const known = new Map(definitions.map((definition) => [definition.kind, definition]));
  const dispatcher: Dispatcher = {
    database,
    engine,
    definitionOf: (kind) => known.get(kind),
    logger,
    metrics,
    limits: DISPATCH_LIMITS,
  };
  const decisions = { dispatch: dispatchDecisions, showsHealth: false };
  const loops = [
    startRelayLoop(dispatcher),
    startRelayLoop({ ...dispatcher, limits: DECISION_LIMITS }, LOOP_PACE, decisions),
    startRelayLoop(dispatcher, LOOP_PACE, { dispatch: dispatchSchedules, showsHealth: false }),
  ];
  const wake = (): void => loops.forEach((loop) => loop.wake());
  const listener = listenToOutbox(settings.databaseUrl.relay, wake, logger);
  const schedules = rounds({ database, store, engine, metrics, logger }).map((round) =>
    startSchedule(round, logger),
  );

  onShutdown(async (reason) => {
    logger.info({ reason }, 'Ending');
    await Promise.all([
      ...loops.map((loop) => loop.stop()),
      listener.close(),
      ...schedules.map((schedule) => schedule.stop()),
    ]);
    await Promise.all([metricsServer.close(), engine.close(), database.end()]);
  }, SHUTDOWN_GRACE_MS);
  logger.info({ metricsUrl: metricsServer.url, kinds: [...known.keys()] }, 'Ready');
  announceReady({ role: 'relay', metricsUrl: metricsServer.url });
}

interface Parts {
  readonly store: ArtifactStore;
  readonly database: Database;
  readonly engine: EngineClient;
  readonly metrics: RelayMetrics;
  readonly logger: Logger;
}

/** What comes round beside the loop. */
function rounds({ database, store, engine, metrics, logger }: Parts): Round[] {
  let attributesKnown = false;
  return [
    {
      name: 'measure',
      firstAfterMs: 0,
      everyMs: MEASURE_EVERY_MS,
      work: async () => {
        metrics.observeOutbox(await measureOutbox(database));
        metrics.observeParks(await measureParks(database));
      },
    },
    {
      name: 'search attributes',
      firstAfterMs: 0,
      everyMs: RECONCILE_EVERY_MS,
      work: async () => {
        if (attributesKnown) return;
        await engine.connection.withDeadline(Date.now() + SETUP_TIMEOUT_MS, () =>
          ensureSearchAttributes(engine.connection, engine.namespace),
        );
        attributesKnown = true;
      },
    },
    {
      name: 'reconcile',
      firstAfterMs: RECONCILE_EVERY_MS,
      everyMs: RECONCILE_EVERY_MS,
      work: async () => {
        await onlyOne(database, 'reconcile', async () => {
          const { counts, jobsSeen, workflowsSeen } = await reconcile({
            database,
            engine,
            logger,
            metrics,
            limits: RECONCILE_LIMITS,
          });
          const schedules = await reconcileSchedules(database, engine);
          if (schedules > 0)
            logger.warn({ schedules }, 'The engine had schedules otherwise; it is told again');
          logger.debug({ counts, jobsSeen, workflowsSeen }, 'Jobs and workflows were compared');
        });
      },
    },
    {
      name: 'sweep',
      firstAfterMs: SWEEP_FIRST_AFTER_MS,
      everyMs: SWEEP_EVERY_MS,
      work: async () => {
        await onlyOne(database, 'sweep', async () => {
          metrics.swept.inc({ what: 'outbox' }, await sweepOutbox(database));
          metrics.swept.inc({ what: 'idempotency' }, await sweepIdempotency(database));
          metrics.swept.inc({ what: 'recipient_lists' }, await sweepLists(database, UPLOAD_KEPT_MS));
          const artifacts = await sweepArtifacts({ database, store });
          for (const [what, count] of Object.entries({ ...artifacts })) metrics.swept.inc({ what }, count);
        });
      },
    },
  ];
}
