/** Keeps one process running: starts it, knows when it is ready, starts it again with backoff when it dies. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, statSync } from 'node:fs';
import { isReadyMessage, type Ready } from '../telemetry/ready.js';
import type { RecordedProcess } from './end-processes.js';
import { limitLog, openLog, tailOf } from './log-file.js';
import { identify } from './process-identity.js';
import type { ProcessRegistry } from './process-registry.js';
import { StackError } from './stack-error.js';

export interface ProcessSpec {
  /** Unique in the stack: `postgres`, `api`, `worker reports-cpu 1`. */
  readonly name: string;
  readonly tier: RecordedProcess['tier'];
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly logFile: string;
  readonly stopSignal: NodeJS.Signals;
  readonly killSignal: NodeJS.Signals;
  /** Answers once it serves, throws before. Without it the process says `ready` on its IPC channel. */
  readonly probe?: () => Promise<void>;
  /** The first time it has to be ready within this time. */
  readonly startTimeoutMs: number;
}

export type ProcessEvent = { readonly name: string } & (
  | { readonly type: 'started'; readonly pid: number }
  | { readonly type: 'ready'; readonly pid: number; readonly first: boolean }
  | { readonly type: 'died'; readonly how: string; readonly restartMs: number }
);

export interface Supervised {
  readonly name: string;
  /** Undefined between a death and the restart. */
  pid(): number | undefined;
  /** What it said when it was ready last. */
  said(): Ready | undefined;
  /** Settles once: ready for the first time, or an Error that ends with the last lines of its log. */
  readonly firstReady: Promise<void>;
  /** Asks it to end and makes it after `graceMs`; settles when it is gone. */
  stop(graceMs: number): Promise<void>;
}

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;
const HEALTHY_AFTER_MS = 30_000;
const DEATHS_BEFORE_READY_MAX = 3;
const PROBE_EVERY_MS = 30;
const LOG_LIMIT_EVERY_MS = 60_000;

/** Starts the process and keeps it up until `stop`. */
export function supervise(
  spec: ProcessSpec,
  registry: ProcessRegistry,
  onEvent: (event: ProcessEvent) => void,
): Supervised {
  const { name } = spec;
  let child: ChildProcess | undefined;
  let readyWords: Ready | undefined;
  let everReady = false;
  let stopping = false;
  let deaths = 0;
  let restartTimer: NodeJS.Timeout | undefined;
  let logStartAt = 0;
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => undefined); // whoever awaits it hears of it; stop() alone does not

  const startTimer = setTimeout(
    () => first.reject(failure(`was not ready within ${spec.startTimeoutMs} ms`)),
    spec.startTimeoutMs,
  );
  const logTimer = setInterval(() => limitLog(spec.logFile), LOG_LIMIT_EVERY_MS);
  logTimer.unref();

  function failure(what: string): Error {
    const tail = tailOf(spec.logFile, logStartAt);
    return new StackError(
      `${name} ${what}. ${tail ? `Its last words (${spec.logFile}):\n${tail}` : `Its log: ${spec.logFile}`}`,
    );
  }

  function start(): void {
    const log = openLog(spec.logFile);
    logStartAt = statSync(spec.logFile).size;
    const startedAt = performance.now();
    const { command, args, cwd, uid, gid, env } = spec;
    const started = spawn(command, args, {
      // A session of its own: Ctrl-C is for the supervisor, which ends the others in order.
      detached: true,
      stdio: ['ignore', log, log, ...(spec.probe ? [] : (['ipc'] as const))],
      env,
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    closeSync(log);
    child = started;
    const { pid } = started;
    const identity = pid === undefined ? undefined : identify(pid);
    if (identity) {
      const { tier, stopSignal, killSignal } = spec;
      registry.add({ ...identity, name, tier, stopSignal, killSignal });
      onEvent({ type: 'started', name, pid: identity.pid });
    }
    let ended = false;
    const onEnd = (how: string): void => {
      if (ended) return;
      ended = true;
      if (pid !== undefined) registry.remove(pid);
      if (child === started) child = undefined;
      if (!stopping) died(how, performance.now() - startedAt);
    };
    started.once('error', (error) => {
      if (started.pid === undefined) onEnd(`could not be started: ${error.message}`);
    });
    started.once('exit', (code, signal) =>
      onEnd(`ended ${signal ? `by ${signal}` : `with exit code ${code}`}`),
    );
    if (spec.probe) void probeUntilReady(spec.probe, started);
    else started.on('message', (message) => isReadyMessage(message) && ready(started, message));
  }

  async function probeUntilReady(probe: () => Promise<void>, of: ChildProcess): Promise<void> {
    while (child === of && !stopping) {
      const answered = await probe().then(
        () => true,
        () => false, // not yet; startTimeoutMs bounds it, and its log says why
      );
      if (answered) return ready(of, undefined);
      await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
    }
  }

  function ready(of: ChildProcess, words: Ready | undefined): void {
    if (child !== of || of.pid === undefined) return;
    readyWords = words;
    const isFirst = !everReady;
    everReady = true;
    clearTimeout(startTimer);
    onEvent({ type: 'ready', name, pid: of.pid, first: isFirst });
    first.resolve();
  }

  function died(how: string, livedMs: number): void {
    deaths = livedMs > HEALTHY_AFTER_MS ? 1 : deaths + 1;
    if (!everReady && deaths >= DEATHS_BEFORE_READY_MAX) {
      clearTimeout(startTimer);
      first.reject(failure(how));
      return;
    }
    const restartMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (deaths - 1));
    onEvent({ type: 'died', name, how, restartMs });
    restartTimer = setTimeout(start, restartMs);
  }

  start();
  return {
    name,
    pid: () => child?.pid,
    said: () => readyWords,
    firstReady: first.promise,
    async stop(graceMs) {
      stopping = true;
      clearTimeout(startTimer);
      clearTimeout(restartTimer);
      clearInterval(logTimer);
      first.reject(new Error(`${name} was stopped before it was ready`));
      const last = child;
      if (!last || last.exitCode !== null || last.signalCode !== null) return;
      const exited = new Promise((resolve) => last.once('exit', resolve));
      last.kill(spec.stopSignal);
      const timer = setTimeout(() => {
        last.kill(spec.killSignal);
        last.kill('SIGCONT');
      }, graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
