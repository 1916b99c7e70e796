/** An API of one's own on a free port, over a database of its own, with a tenant and keys of every role. */
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { expect } from 'vitest';
import { createApi, type Api, type ApiDependencies } from '../../../apps/api/create-api.js';
import type { ArtifactLink, Job } from '../../../apps/api/jobs/job.schema.js';
import type { FieldError, ProblemDocument } from '../../../apps/api/problems/problem.js';
import type { KindDescription } from '../../../libs/saga/describe.js';
import type { Engine } from '../../../apps/api/engine/engine.js';
import { readSettings, type Settings } from '../../../libs/config/settings.js';
import { parseDatasets, type Datasets } from '../../../libs/datasets/datasets.js';
import { createApiKey, ensureTenant } from '../../../libs/security/tenants.store.js';
import { createTenantCipher, type TenantCipher } from '../../../libs/security/tenant-cipher.js';
import { openDatabase, type Database } from '../../../libs/store/database.js';
import { createTestDatabase } from '../../support/database.js';
import { notes, plainNote } from './kinds.js';
import { reportDelivery } from '../../../workflows/report-delivery.job.js';
import { documentPdf } from '../../../workflows/document-pdf.job.js';
import { imageRenditions } from '../../../workflows/image-renditions.job.js';
import { reportExport } from '../../../workflows/report-export.job.js';
import { emailSend } from '../../../workflows/email-send.job.js';
import { webhookCallback } from '../../../workflows/webhook-callback.job.js';
import { webhookFanout } from '../../../workflows/webhook-fanout.job.js';
import { webhookResend } from '../../../workflows/webhook-resend.job.js';
import { freePort } from '../../support/ports.js';

export interface Tenant {
  readonly id: string;
  readonly key: string;
}

export interface TestApi {
  readonly api: Api;
  readonly url: string;
  readonly settings: Settings;
  readonly owner: pg.Pool;
  /** As the worker's role: what ledger and engine would write. */
  readonly worker: Database;
  readonly cipher: TenantCipher;
  readonly acme: Tenant;
  readonly rival: Tenant;
  readonly operatorKey: string;
  readonly adminKey: string;
  readonly engine: StubEngine;
  /** A request as `acme`, unless `key` says otherwise; the answer is held against the OpenAPI document. */
  call(method: string, path: string, options?: CallOptions): Promise<TestAnswer>;
  close(): Promise<void>;
}

export interface CallOptions {
  /** Null: no key at all. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | Uint8Array;
}

/** An item of a page of jobs or kinds, or of a batch's answer. */
export interface Item {
  readonly id: string;
  readonly kind: string;
  readonly key: string | null;
  readonly createdAt: string;
  readonly status: string | number;
  readonly job?: Job;
  readonly problem?: ProblemDocument;
}

/** Every field that any answer has. */
export type AnswerBody = Omit<Job, 'status' | 'steps'> &
  Omit<ProblemDocument, 'status' | 'errors'> &
  ArtifactLink &
  Pick<KindDescription, 'diagram'> & {
    readonly status: string | number;
    readonly steps: readonly (Job['steps'][number] & KindDescription['steps'][number])[];
    readonly errors: readonly FieldError[];
    readonly items: readonly Item[];
    readonly payloads: readonly { readonly data: string }[];
    readonly engine: string;
  };

export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; which of its fields are there, the OpenAPI document says, and every answer is held against it. */
  readonly json: AnswerBody;
}

/** An engine that answers what a test tells it to. */
export class StubEngine implements Engine {
  /** Undefined: it does not answer at all. */
  state: object | undefined;
  up = true;
  /** Queues that nobody polls. */
  unpolled: readonly string[] = [];
  queries = 0;
  inFlight = 0;
  inFlightMost = 0;
  /** Until then no query is answered. */
  answering: Promise<void> = Promise.resolve();

  async queryState(): Promise<unknown> {
    this.queries += 1;
    this.inFlight += 1;
    this.inFlightMost = Math.max(this.inFlightMost, this.inFlight);
    try {
      await this.answering;
      await new Promise((resolve) => setTimeout(resolve, this.state ? 0 : 1_000));
      if (!this.state) throw new Error('deadline exceeded');
      return this.state;
    } finally {
      this.inFlight -= 1;
    }
  }

  isPolled({ name }: { name: string }): Promise<boolean> {
    return Promise.resolve(!this.unpolled.includes(name));
  }

  /** A schedule's; undefined: it does not answer. */
  nextRunsAt: string[] | undefined;

  nextRuns(_scheduleId: string): Promise<string[]> {
    return this.nextRunsAt ? Promise.resolve(this.nextRunsAt) : Promise.reject(new Error('unavailable'));
  }

  isUp(): Promise<boolean> {
    return Promise.resolve(this.up);
  }
}

export const datasets: Datasets = parseDatasets({
  datasets: {
    flights: {
      source: 'TEST_SOURCE_URL',
      query: 'select id, delay from flights',
      key: 'id',
      columns: { id: 'bigint', delay: 'integer' },
      filters: { delay: ['gte', 'lte', 'eq'] },
      orders: [],
      parameters: {},
      tenants: ['acme'],
    },
  },
});

const JSON_TYPE = 'application/json';

/** Starts one. `dependencies` replace parts; `settings` change single settings. */
export async function startTestApi(
  dependencies: ApiDependencies = {},
  change: Partial<Settings> = {},
): Promise<TestApi> {
  const database = await createTestDatabase();
  const artifactsDir = await mkdtemp(join(tmpdir(), 'longhaul-api-'));
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const settings: Settings = {
    ...readSettings({
      DATABASE_URL: database.url,
      // Nobody listens there: an engine that is away.
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      TEMPORAL_UI_URL: 'http://127.0.0.1:8233',
      PORT: String(port),
      PUBLIC_URL: publicUrl,
      LONGHAUL_HOME: artifactsDir,
      LONGHAUL_MASTER_KEY: randomBytes(32).toString('base64'),
      LONGHAUL_ENV: 'test',
      LOG_LEVEL: 'silent',
    }),
    ...change,
  };
  const owner = new pg.Pool({ connectionString: database.url, max: 4 });
  const worker = openDatabase(database.url, 'worker', { max: 4 });
  const acme = await makeTenant(owner, 'acme', settings);
  const rival = await makeTenant(owner, 'rival', settings);
  const platform = (role: 'operator' | 'admin'): Promise<string> =>
    createApiKey(owner, { tenantId: null, role, name: role, env: settings.env });
  const engine = new StubEngine();
  const api = await createApi(settings, {
    definitions: [
      ...[reportExport, notes, plainNote, emailSend, reportDelivery, documentPdf, imageRenditions],
      ...[webhookFanout, webhookResend, webhookCallback],
    ],
    datasets,
    engine,
    ...dependencies,
  });
  const checker = await openApiChecker(api.url);
  const [operatorKey, adminKey] = [await platform('operator'), await platform('admin')];
  return {
    api,
    url: api.url,
    settings,
    owner,
    worker,
    cipher: createTenantCipher(worker, settings.masterKey),
    acme,
    rival,
    operatorKey,
    adminKey,
    engine,
    call: async (method, path, options = {}) => {
      const answer = await send(api.url, method, path, acme.key, options);
      checker(method, path, answer);
      return answer;
    },
    close: async () => {
      await api.close();
      await Promise.all([owner.end(), worker.end()]);
      await database.close();
      await rm(artifactsDir, { recursive: true, force: true });
    },
  };
}

async function makeTenant(owner: pg.Pool, name: string, settings: Settings): Promise<Tenant> {
  const id = await ensureTenant(owner, name, settings.masterKey);
  return { id, key: await createApiKey(owner, { tenantId: id, role: 'client', name, env: settings.env }) };
}

async function send(
  url: string,
  method: string,
  path: string,
  ownKey: string,
  { key = ownKey, headers = {}, json, body }: CallOptions,
): Promise<TestAnswer> {
  const payload = json === undefined ? body : JSON.stringify(json);
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(payload === undefined ? {} : { 'content-type': JSON_TYPE }),
      ...headers,
    },
    ...(payload === undefined ? {} : { body: payload as string }),
    redirect: 'manual',
  });
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: (isJson && text !== '' ? JSON.parse(text) : undefined) as AnswerBody,
  };
}

/** Holds answers against the served document: a status, a media type or a shape that it does not tell of is an error. */
async function openApiChecker(
  url: string,
): Promise<(method: string, path: string, answer: TestAnswer) => void> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<
      string,
      Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>
    >;
  };
  const ajv = new Ajv2020.default({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'openapi');
  const validators = new Map<string, ValidateFunction>();
  const templates = Object.keys(document.paths).map((template) => ({
    template,
    expression: new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+').replace(/\*/g, '.*')}$`),
    weight: (template.match(/\{/g) ?? []).length,
  }));
  templates.sort((a, b) => a.weight - b.weight);

  return (method, path, answer) => {
    expect(answer.headers.get('x-trace-id'), 'every response has a trace id').toMatch(/^[0-9a-f]{32}$/);
    expect(answer.status, `${method} ${path}: ${answer.text.slice(0, 300)}`).not.toBe(500);
    const mediaType = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
    if (answer.status >= 400) expect(mediaType).toBe('application/problem+json');
    const pathname = path.split('?')[0] ?? '';
    const operations = templates
      .filter(({ expression }) => expression.test(pathname))
      .map(({ template }) => [template, document.paths[template]?.[method.toLowerCase()]] as const);
    const [template, operation] = operations.find(([, candidate]) => candidate !== undefined) ?? [];
    const ref = operation
      ? contentRef(template ?? '', method, answer, mediaType, operation.responses)
      : answer.text === ''
        ? undefined
        : 'openapi#/components/schemas/Problem';
    if (ref === undefined) return;
    const validate = validators.get(ref) ?? ajv.compile({ $ref: ref });
    validators.set(ref, validate);
    const valid = validate(answer.json ?? answer.text);
    expect(
      valid ? [] : validate.errors,
      `${method} ${path} → ${answer.status}: ${answer.text.slice(0, 500)}`,
    ).toEqual([]);
  };
}

function contentRef(
  template: string,
  method: string,
  answer: TestAnswer,
  mediaType: string,
  responses: Record<string, { content?: Record<string, unknown> }>,
): string | undefined {
  const response = responses[String(answer.status)];
  expect(
    response,
    `${method} ${template} does not tell of ${answer.status}: ${answer.text.slice(0, 300)}`,
  ).toBeDefined();
  if (answer.text === '') return undefined;
  expect(Object.keys(response?.content ?? {}), `${method} ${template} ${answer.status}`).toContain(mediaType);
  const pointer = [
    'paths',
    template,
    method.toLowerCase(),
    'responses',
    String(answer.status),
    'content',
    mediaType,
    'schema',
  ]
    .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/');
  return `openapi#/${pointer}`;
}

/** What workers would write: the ledger and the job's life, by their own role. */
export class FakeWorker {
  constructor(
    private readonly api: TestApi,
    private readonly tenant: Tenant,
  ) {}

  private async run(text: string, values: unknown[]): Promise<void> {
    const connection = await this.api.worker.connect();
    try {
      await connection.query('begin');
      await connection.query(`select set_config('longhaul.tenant', $1, true)`, [this.tenant.id]);
      const { rowCount } = await connection.query(text, values);
      expect(rowCount, text).toBe(1);
      await connection.query('commit');
    } catch (error) {
      await connection.query('rollback');
      throw error;
    } finally {
      connection.release();
    }
  }

  /** The first claim. */
  start(jobId: string): Promise<void> {
    return this.run(
      `update longhaul.jobs set status = 'STARTED', phase = 'forward', started_at = now(), revision = revision + 1 where id = $1`,
      [jobId],
    );
  }

  commit(jobId: string): Promise<void> {
    return this.run(`update longhaul.jobs set committed_at = now(), revision = revision + 1 where id = $1`, [
      jobId,
    ]);
  }

  /** A row of the ledger, made or changed. */
  effect(
    jobId: string,
    row: {
      step: string;
      seq: number;
      item?: number;
      kind?: string;
      state?: string;
      attempt?: number;
      progress?: object;
      lastError?: object;
      nextAttemptAt?: Date;
      undo?: string;
    },
  ): Promise<void> {
    const kind = row.kind ?? 'readOnly';
    return this.run(
      `insert into longhaul.effects (job_id, tenant_id, step, item, seq, step_kind, effect, undo, state, attempt, progress, last_error, next_attempt_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       on conflict (job_id, generation, step, item) do update set state = excluded.state, attempt = excluded.attempt,
         progress = excluded.progress, last_error = excluded.last_error, next_attempt_at = excluded.next_attempt_at, updated_at = now()`,
      [
        jobId,
        this.tenant.id,
        row.step,
        row.item ?? -1,
        row.seq,
        kind,
        kind === 'readOnly' ? 'none' : 'keyed',
        row.undo ?? (kind === 'compensable' ? 'erase' : null),
        row.state ?? 'claimed',
        row.attempt ?? 1,
        row.progress ? JSON.stringify(row.progress) : null,
        row.lastError ? JSON.stringify(row.lastError) : null,
        row.nextAttemptAt ?? null,
      ],
    );
  }

  async park(jobId: string, step: string): Promise<void> {
    const letter = {
      number: 1,
      step,
      item: -1,
      generation: 0,
      undo: false,
      doubt: true,
      possible: ['retry'],
    };
    const values = [this.tenant.id, jobId, uuidv7(), JSON.stringify({ ...letter, correctable: false })];
    await this.api.worker.query('select longhaul.park_job($1, $2, $3, $4)', values);
  }

  async succeed(jobId: string, result: unknown): Promise<void> {
    const sealed = await this.api.cipher.encrypt(
      this.tenant.id,
      Buffer.from(JSON.stringify(result)),
      `${this.tenant.id}/${jobId}/result`,
    );
    await this.run(
      `update longhaul.jobs set status = 'SUCCEEDED', phase = 'done', ended_at = now(), result = $2, revision = revision + 1 where id = $1`,
      [jobId, sealed],
    );
  }

  fail(jobId: string, leftovers: object[] = []): Promise<void> {
    return this.run(
      `update longhaul.jobs set status = 'FAILED', phase = 'done', ended_at = now(), compensated = 'all', leftovers = $2,
         error = '{"code": "no_paper", "title": "No paper", "detail": "Out of paper.", "step": "write", "failureClass": "rejected"}',
         revision = revision + 1 where id = $1`,
      [jobId, JSON.stringify(leftovers)],
    );
  }

  artifact(
    jobId: string,
    file: { location: string; bytes: number; sha256: string; expiresAt: Date },
  ): Promise<void> {
    return this.run(
      `insert into longhaul.artifacts (job_id, tenant_id, store, location, filename, content_type, bytes, rows, sha256, expires_at)
       values ($1, $2, 'folder', $3, 'flights – 1.csv', 'text/csv', $4, 3, $5, $6)
       on conflict (job_id) do update set expires_at = excluded.expires_at`,
      [jobId, this.tenant.id, file.location, file.bytes, file.sha256, file.expiresAt],
    );
  }
}

let serial = 0;

/** An input of `note.write` that no other test uses. */
export function freshNote(more: object = {}): { kind: 'note.write'; input: Record<string, unknown> } {
  serial += 1;
  return { kind: 'note.write', input: { topic: `topic ${serial}`, ...more } };
}

/** How many rows a table has, seen by the owner of everything. */
export async function countRows(
  t: TestApi,
  table: 'jobs' | 'outbox' | 'idempotency',
  tenant: Tenant,
): Promise<number> {
  const connection = await t.worker.connect();
  try {
    await connection.query('begin');
    await connection.query('set local role longhaul_relay');
    const { rows } = await connection.query<{ count: string }>(
      `select count(*) from longhaul.${table} where tenant_id = $1`,
      [tenant.id],
    );
    return Number(rows[0]?.count);
  } finally {
    await connection.query('rollback');
    connection.release();
  }
}

export interface SentEvent {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: Job;
}

/** Opens an event stream; events come out of `next()`, and `end()` closes it. */
export async function openEvents(t: TestApi, path: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const response = await fetch(t.url + path, {
    headers: { authorization: `Bearer ${t.acme.key}`, ...headers },
    signal: abort.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  const next = async (): Promise<SentEvent | undefined> => {
    for (;;) {
      const end = buffer.indexOf('\n\n');
      if (end >= 0) {
        const block = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        const fields = new Map(
          block.split('\n').map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
        );
        if (!fields.has('data')) continue;
        return {
          event: fields.get('event'),
          id: fields.get('id'),
          data: JSON.parse(fields.get('data') ?? '') as Job,
        };
      }
      const chunk = await reader?.read();
      if (!chunk || chunk.done) return undefined;
      buffer += chunk.value;
    }
  };
  return { response, next, end: () => abort.abort() };
}
