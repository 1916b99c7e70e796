/** Connections to the engine, for clients and for workers, with the encrypting data converter on both. */
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection, NativeConnectionOptions } from '@temporalio/worker';
import type { Settings } from '../config/settings.js';
import { createDataConverter, type Secrets } from './data-converter.js';
import type { JobTenants } from './job-tenants.store.js';

/** Where the engine is: `settings.temporal`. */
export type EngineAddress = Pick<Settings['temporal'], 'address' | 'namespace'>;

export interface EngineClient {
  readonly connection: Connection;
  readonly client: Client;
  readonly namespace: string;
  readonly dataConverter: DataConverter;
  readonly tenants: JobTenants;
  close(): Promise<void>;
}

export interface EngineConnectionForWorkers {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly dataConverter: DataConverter;
}

export interface ConnectOptions {
  /** Tries of one call at most; 1 for callers that back off by themselves. The call's deadline bounds them all. */
  readonly attemptsMax?: number;
}

const RECONNECT_FIRST_MS = 100;
const RECONNECT_MOST_MS = 1_000;
const CALL_ATTEMPTS_MAX = 4;

/**
 * TLS, API key and gRPC metadata come from the SDK's usual environment variables (`TEMPORAL_TLS…`,
 * `TEMPORAL_API_KEY`, `TEMPORAL_GRPC_META_…`), and from a profile file only where one is named: a stray file in a
 * home must not turn on TLS towards the embedded engine.
 */
function connectionOptions(engine: EngineAddress): NativeConnectionOptions {
  const named =
    process.env['TEMPORAL_CONFIG_FILE'] !== undefined || process.env['TEMPORAL_PROFILE'] !== undefined;
  const { connectionOptions: options } = loadClientConnectConfig({ disableFile: !named });
  return { ...options, address: engine.address };
}

/**
 * A client of the engine. It does not wait for the engine: calls fail while it is away (see `isEngineAway`) and
 * work again within a second of its return.
 */
export function connectTemporal(
  settings: { readonly temporal: EngineAddress },
  secrets: Secrets,
  options: ConnectOptions = {},
): EngineClient {
  const { address, tls, apiKey, metadata } = connectionOptions(settings.temporal);
  const attemptsMax = options.attemptsMax ?? CALL_ATTEMPTS_MAX;
  const connection = Connection.lazy({
    ...(address === undefined ? {} : { address }),
    ...(tls === undefined ? {} : { tls }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(metadata === undefined ? {} : { metadata }),
    // gRPC waits up to two minutes before it reconnects unless told otherwise.
    channelArgs: {
      'grpc.initial_reconnect_backoff_ms': RECONNECT_FIRST_MS,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MOST_MS,
    },
    interceptors:
      attemptsMax > 1
        ? [makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts: attemptsMax }))]
        : [],
  });
  const { dataConverter, tenants } = createDataConverter(secrets);
  const { namespace } = settings.temporal;
  const client = new Client({ connection, namespace, dataConverter });
  return { connection, client, namespace, dataConverter, tenants, close: () => connection.close() };
}

/** A connection for workers; waits until the engine answers, and throws when it does not within the SDK's time. */
export async function connectTemporalForWorkers(
  settings: { readonly temporal: EngineAddress },
  secrets: Secrets,
): Promise<EngineConnectionForWorkers> {
  // Loaded here, because the worker's native part is 100 MB that API and relay do not need.
  const { NativeConnection } = await import('@temporalio/worker');
  const connection = await NativeConnection.connect(connectionOptions(settings.temporal));
  const { dataConverter } = createDataConverter(secrets);
  return { connection, namespace: settings.temporal.namespace, dataConverter };
}
