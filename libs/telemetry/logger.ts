/** Structured logs: one JSON object a line, without secrets. */
import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Names under which secrets travel; at the top level of a log object and one and two levels down. */
const SECRET_NAMES = [
  'authorization',
  'apiKey',
  'password',
  'secret',
  'masterKey',
  'token',
  'input',
  'result',
  'cookie',
  'databaseUrl',
  'connectionString',
] as const;

/** The paths pino redacts. Exported for pino-http, which makes its own logger. */
export const REDACTED_PATHS: readonly string[] = [
  ...SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  'req.headers.authorization',
  'req.headers["idempotency-key"]',
  'res.headers["set-cookie"]',
];

const CREDENTIALS_IN_URL = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]*:[^\s/@]*@/gi;
const API_KEY = /\blh_[a-z]+_[a-z0-9]{8,32}_[A-Za-z0-9_-]+/g;

/** Takes credentials in URLs and API keys out of a text, such as a driver's error message. */
export function scrub(text: string): string {
  return text.replace(CREDENTIALS_IN_URL, '$1[redacted]@').replace(API_KEY, 'lh_[redacted]');
}

/** What of an error goes into a log: class, code, scrubbed message and stack, and its causes (three deep). */
export function describeError(error: unknown, depth = 3): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: scrub(String(error)) };
  const code = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    message: scrub(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: scrub(error.stack) }),
    ...(error.cause === undefined || depth <= 1 ? {} : { cause: describeError(error.cause, depth - 1) }),
  };
}

/** A logger for the process or part `name`, on stdout unless told otherwise; errors go under `err` (or `error`). */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    redact: { paths: [...REDACTED_PATHS], censor: '[redacted]' },
    formatters: { level: (label: string) => ({ level: label }) },
    // `error` is where the engine's SDK puts errors; as they are, they would carry their details along.
    serializers: {
      err: (error: unknown) => describeError(error),
      error: (error: unknown) => describeError(error),
    },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
  return destination ? pino(options, destination) : pino(options);
}
