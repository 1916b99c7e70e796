/** The whole of Longhaul on one machine: what `longhaul up` runs, and what the demo starts where nothing runs. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { prepareDemoSource } from '../datasets/demo-source.js';
import { migrate } from '../store/migrate.js';
import { startDatasetLoader, type DatasetLoader } from './dataset-loader.js';
import { seedDemoTenant, type SeededKeys } from './demo-tenant.store.js';
import { locateHome, makeHome, type Home } from './home.js';
import { lockHome, type HomeLock } from './home-lock.js';
import { serveMergedMetrics, type MergedMetrics, type MetricsSource } from './merged-metrics.js';
import { codecUiToken, masterKeyOf, processEnvironment } from './process-environment.js';
import { endLeftovers, openProcessRegistry, type ProcessRegistry } from './process-registry.js';
import { findRunning, removeRunFile, writeRunFile, type RunFile } from './run-file.js';
import { startDatabase, startEngine, type RunningDatabase, type RunningEngine } from './stack.servers.js';
import { StackError } from './stack-error.js';
import { openPortClaims } from './port-claims.js';
import { choosePorts } from './stack.ports.js';
import { appSpecs, commandLineProgram, SANDBOX_MAILBOX, SANDBOX_PROVIDER } from './stack.processes.js';
import { supervise, type ProcessEvent, type Supervised } from './supervisor.js';

export type StackEvent =
  | ProcessEvent
  /** Something that is not a process is done: the schema, the keys. */
  | { readonly type: 'done'; readonly name: string }
  /** A sentence for the person at the terminal. */
  | { readonly type: 'note'; readonly text: string };

export interface StackOptions {
  /** Default: the process's environment. `PORT`, `LONGHAUL_HOME`, `LONGHAUL_EMBEDDED_PORT_BASE`, `DATABASE_URL`, `TEMPORAL_ADDRESS`, … */
  readonly env?: NodeJS.ProcessEnv;
  readonly onEvent?: (event: StackEvent) => void;
  /** Aborted while the stack is starting: it is stopped, and the start throws. */
  readonly stop?: AbortSignal;
  /** Whether to load the demo's data in the background. Default: yes. */
  readonly loadDatasets?: boolean;
}

export interface RunningStack {
  /** What run.json says; it follows restarts. */
  readonly runFile: RunFile;
  readonly runFilePath: string;
  /** Whether another process supervises it: then `stop` leaves it alone. */
  readonly joined: boolean;
  /** Ends everything in order. Called again, it hurries: what has not ended is killed. */
  stop(): Promise<void>;
  /** Settles when the stack has stopped. */
  wait(): Promise<void>;
}

/** Another stack runs on this home. */
export class StackRunsAlready extends StackError {
  constructor(
    readonly home: string,
    /** Undefined while it is still starting, or is stopping. */
    readonly run: RunFile | undefined,
    readonly supervisorPid: number,
  ) {
    super(
      run
        ? `Longhaul runs already on ${home}: ${run.api} (pid ${supervisorPid}; ${join(home, 'run.json')} says where everything is).`
        : `Longhaul is starting or stopping on ${home} this moment (pid ${supervisorPid}).`,
    );
    this.name = 'StackRunsAlready';
  }
}

const APP_GRACE_MS = 12_000;
const SERVER_GRACE_MS = 10_000;
const HURRY_GRACE_MS = 0;
const HOME_CHECK_EVERY_MS = 2_000;

/** The stack that runs on this home, or a new one. */
export async function joinOrStartStack(options: StackOptions = {}): Promise<RunningStack> {
  const home = locateHome(options.env);
  const run = findRunning(home);
  if (!run) return startStack(options);
  return {
    runFile: run,
    runFilePath: home.runFile,
    joined: true,
    stop: async () => undefined,
    wait: async () => undefined,
  };
}

/** Brings everything up; throws StackError for what a person can mend, and leaves nothing running when it throws. */
export async function startStack(options: StackOptions = {}): Promise<RunningStack> {
  const env = options.env ?? process.env;
  const home = locateHome(env);
  if (!existsSync(commandLineProgram())) {
    throw new StackError(`${commandLineProgram()} is missing: run \`npm run build\` first.`);
  }
  makeHome(home);
  const lock = lockHome(home.lockFile);
  if ('heldBy' in lock) throw new StackRunsAlready(home.root, findRunning(home), lock.heldBy.pid);
  const stack = new Stack(home, env, lock, options);
  const stop = (): void => void stack.stop();
  options.stop?.addEventListener('abort', stop);
  try {
    options.stop?.throwIfAborted();
    await stack.start();
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  } finally {
    options.stop?.removeEventListener('abort', stop);
  }
}

class Stack implements RunningStack {
  readonly joined = false;
  readonly #onEvent: (event: StackEvent) => void;
  readonly #startedAt = new Date().toISOString();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #portClaims = openPortClaims();
  #registry: ProcessRegistry | undefined;
  #database: RunningDatabase | undefined;
  #engine: RunningEngine | undefined;
  #apps: Supervised[] = [];
  #metrics: MergedMetrics | undefined;
  #loader: DatasetLoader | undefined;
  #keys: SeededKeys | undefined;
  #api = '';
  #paymentProvider: string | null = null;
  #mailbox: string | null = null;
  #smtp: string | null = null;
  #ready = false;
  #homeCheck: NodeJS.Timeout | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(
    private readonly home: Home,
    private readonly env: NodeJS.ProcessEnv,
    private readonly lock: HomeLock,
    private readonly options: StackOptions,
  ) {
    this.#onEvent = (event) => {
      options.onEvent?.(event);
      // Process ids and metrics' ports have changed.
      if (this.#ready && (event.type === 'ready' || event.type === 'started' || event.type === 'died'))
        this.#publish();
    };
  }

  start(): Promise<void> {
    return (this.#starting = this.#bringUp());
  }

  async #bringUp(): Promise<void> {
    const { home, env } = this;
    this.#homeCheck = setInterval(() => this.#checkHome(), HOME_CHECK_EVERY_MS);
    removeRunFile(home);
    const left = await endLeftovers(home.processesFile);
    if (left.length > 0) this.#note(`Ended what an earlier start had left: ${left.join(', ')}.`);
    const registry = (this.#registry = openProcessRegistry(
      home.processesFile,
      () => this.#ready && this.#publish(),
    ));
    const ports = await choosePorts(home, env, this.#portClaims);
    this.#api = `http://${ports.host}:${ports.api}`;
    const providerPort = env.PAYMENT_PROVIDER_URL ? undefined : ports.paymentProvider;
    this.#paymentProvider = providerPort === undefined ? null : `http://127.0.0.1:${providerPort}`;
    const mailbox = env.LONGHAUL_SMTP_URL ? undefined : { http: ports.mailbox, smtp: ports.smtp };
    this.#mailbox = mailbox ? `http://127.0.0.1:${mailbox.http}` : null;
    this.#smtp = mailbox ? `smtp://127.0.0.1:${mailbox.smtp}` : null;
    this.#metrics = await serveMergedMetrics('127.0.0.1', ports.metrics, () => this.#metricsSources());

    const tools = { home, env, ports, registry, onEvent: this.#onEvent };
    // Both are awaited to the end, so that a failure of one leaves nothing of the other behind.
    const [database, engine] = await Promise.allSettled([
      startDatabase(tools, (running) => {
        this.#database = running;
        this.#checkNotStopping();
      }).then(() => this.#prepareDatabase()),
      startEngine(tools, `${this.#api}/codec/ui/${codecUiToken(home, env)}`, (running) => {
        this.#engine = running;
        this.#checkNotStopping();
      }),
    ]);
    if (database.status === 'rejected') throw database.reason;
    if (engine.status === 'rejected') throw engine.reason;
    this.#checkNotStopping();

    const processEnv = this.#processEnvironment();
    const allowed = processEnv.LONGHAUL_WEBHOOK_ALLOWED_NETWORKS;
    if (allowed) this.#note(`Webhooks may also go to ${allowed} (LONGHAUL_WEBHOOK_ALLOWED_NETWORKS).`);
    if (this.#mailbox)
      this.#note(`E-mail is delivered to nobody but ${this.#mailbox}/messages (LONGHAUL_SMTP_URL).`);
    const sandboxes = { provider: providerPort, mailbox };
    this.#apps = appSpecs(home, processEnv, sandboxes).map((spec) =>
      supervise(spec, registry, this.#onEvent),
    );
    await Promise.all(this.#apps.map((app) => app.firstReady));
    this.#checkNotStopping();
    this.#ready = true;
    this.#publish();
    if (this.options.loadDatasets ?? true) this.#loadDatasets(processEnv, registry);
  }

  get runFile(): RunFile {
    const app = (name: string): number | null => this.#apps.find((one) => one.name === name)?.pid() ?? null;
    const { database, engine, keys } = this.#everything();
    return {
      api: this.#api,
      metrics: this.#metrics?.url ?? '',
      temporal: engine.address,
      temporalUi: engine.uiUrl,
      paymentProvider: this.#paymentProvider,
      mailbox: this.#mailbox,
      smtp: this.#smtp,
      databaseUrl: database.url,
      keys,
      pids: {
        api: app('api'),
        relay: app('relay'),
        workers: this.#apps.filter((one) => one.name.startsWith('worker ')).flatMap((one) => one.pid() ?? []),
        postgres: database.process?.pid() ?? null,
        temporal: engine.process?.pid() ?? null,
        paymentProvider: app(SANDBOX_PROVIDER),
        mailbox: app(SANDBOX_MAILBOX),
        supervisor: process.pid,
        guard: this.#registry?.guardPid() ?? null,
      },
      home: this.home.root,
      logs: this.home.logs,
      postgresData: database.place?.data ?? null,
      postgresBinaries: database.place?.binaries.folder ?? null,
      startedAt: this.#startedAt,
    };
  }

  get runFilePath(): string {
    return this.home.runFile;
  }

  stop(): Promise<void> {
    if (this.#stopping) {
      for (const app of this.#apps) void app.stop(HURRY_GRACE_MS);
      return this.#stopping;
    }
    this.#ready = false;
    this.#stopping = this.#end().finally(() => this.#stopped.resolve());
    return this.#stopping;
  }

  wait(): Promise<void> {
    return this.#stopped.promise;
  }

  async #end(): Promise<void> {
    clearInterval(this.#homeCheck);
    if (this.lock.isHeld()) removeRunFile(this.home);
    await this.#stopProcesses();
    // Stopped while starting: the start notices at its next step, and may have begun one more process until then.
    await this.#starting?.catch(() => undefined); // its caller hears of it
    await this.#stopProcesses();
    await this.#metrics?.close();
    await this.#registry?.close();
    await this.#portClaims.release();
    this.lock.release();
  }

  async #stopProcesses(): Promise<void> {
    await this.#loader?.stop();
    await Promise.all(this.#apps.map((app) => app.stop(APP_GRACE_MS)));
    await Promise.all([
      this.#engine?.process?.stop(SERVER_GRACE_MS),
      this.#database?.process?.stop(SERVER_GRACE_MS),
    ]);
  }

  async #prepareDatabase(): Promise<void> {
    const { home, env } = this;
    const database = this.#database;
    if (!database) throw new Error('The database was not started.');
    const applied = await migrate(database.url);
    this.#onEvent({
      type: 'done',
      name: applied.length > 0 ? `schema (${applied.length} migrations)` : 'schema',
    });
    this.#keys = await seedDemoTenant(database.url, home.keysFile, {
      masterKey: Buffer.from(masterKeyOf(home, env), 'base64'),
      env: env.LONGHAUL_ENV || 'local',
    });
    if (env.LONGHAUL_SOURCE_DEMO_URL) return;
    try {
      await prepareDemoSource(database.url);
    } catch (error) {
      // On a database of ours this is a defect; on somebody else's it is a right we do not have.
      if (database.process) throw error;
      this.#note(`The demo's source could not be made on this database: ${(error as Error).message}`);
    }
  }

  #loadDatasets(processEnv: NodeJS.ProcessEnv, registry: ProcessRegistry): void {
    if (this.env.LONGHAUL_SOURCE_DEMO_URL) return;
    this.#loader = startDatasetLoader(this.home, processEnv, registry, (failure) => {
      if (failure !== undefined) this.#note(`The demo's data could not be loaded: ${failure}`);
      else this.#onEvent({ type: 'done', name: 'demo data' });
    });
  }

  #processEnvironment(): NodeJS.ProcessEnv {
    const { database, engine } = this.#everything();
    const places = {
      databaseUrl: database.url,
      temporal: engine.address,
      temporalUi: engine.uiUrl,
      paymentProvider: this.#paymentProvider,
      smtp: this.#smtp,
      api: this.#api,
    };
    return processEnvironment(this.home, places, this.env);
  }

  #everything(): { database: RunningDatabase; engine: RunningEngine; keys: SeededKeys } {
    if (!this.#database || !this.#engine || !this.#keys) throw new Error('The stack is not ready.');
    return { database: this.#database, engine: this.#engine, keys: this.#keys };
  }

  #metricsSources(): MetricsSource[] {
    return this.#apps.flatMap((app) => {
      const url = app.said()?.metricsUrl;
      return url === undefined ? [] : [{ process: app.name, url }];
    });
  }

  #publish(): void {
    if (!this.#stopping && this.lock.isHeld()) writeRunFile(this.home, this.runFile);
  }

  /** Somebody removed the home under us: what goes on would go on without its keys and files, unseen. */
  #checkHome(): void {
    if (this.lock.isHeld()) return;
    this.#note(`${this.home.root} was removed, or taken over; stopping.`);
    void this.stop();
  }

  #note(text: string): void {
    this.#onEvent({ type: 'note', text });
  }

  #checkNotStopping(): void {
    if (this.#stopping) throw new StackError('Stopped while starting.');
  }
}
