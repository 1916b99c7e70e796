/** A part of a Parquet file as a stream, written on a thread: the event loop only passes the bytes on. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { MessageChannel } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { packageRoot } from '../../embedded/cache-folder.js';
import { ByteCounter, type CountedStream } from '../compressions.js';
import type { PartAnswer, PartOutcome, PartRequest, PartTask } from './part.thread.js';
import type { PartWriterOptions } from './part-writer.js';
import { ParquetRefusal } from './refusal.js';

/** More parts than threads wait for each other, which bounds memory, too. */
const THREADS_MAX = 4;
/** A thread keeps what it has compiled, and some memory: it goes when nobody asks for Parquet any more. */
const THREAD_IDLE_MS = 10_000;
/** What a thread allocates is short-lived; more room for it makes the process larger, not quicker. */
const YOUNG_GENERATION_MB = 16;
/** Blocks of the COPY on their way to the thread. */
const REQUESTS_AHEAD_MAX = 3;

let threads: Promise<Piscina> | undefined;

/** The process's pool; made when it is first needed. Threads run what was built, from the sources, too. */
async function openThreads(): Promise<Piscina> {
  const { Piscina: Pool } = await import('piscina');
  return new Pool({
    filename: join(packageRoot(), 'dist', 'libs', 'datasets', 'parquet', 'part.thread.js'),
    minThreads: 0,
    maxThreads: Math.min(THREADS_MAX, availableParallelism()),
    idleTimeout: THREAD_IDLE_MS,
    // A thread that waits for its next task would not see the port's messages.
    atomics: 'disabled',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
}

/** The rows of a binary COPY as a Parquet file. Fails with ParquetRefusal for rows it has no place for. */
export function parquetPart(rows: Readable, options: PartWriterOptions): CountedStream {
  const counted = new ByteCounter();
  // Its reader is told of every failure: the pipeline destroys the last stream with the error.
  pipeline(
    rows,
    (source: AsyncIterable<Uint8Array>) => written(source, options),
    counted,
    () => undefined,
  );
  return counted;
}

async function* written(
  rows: AsyncIterable<Uint8Array>,
  options: PartWriterOptions,
): AsyncGenerator<Uint8Array> {
  const part = await openConversation(options);
  try {
    for await (const chunk of rows) {
      // A copy: the stream may use its block again, and this one is given away.
      const copy = new Uint8Array(chunk);
      part.post(copy, [copy.buffer]);
      yield* await part.answers(REQUESTS_AHEAD_MAX);
    }
    part.post('end', []);
    yield* await part.answers(0);
    await part.outcome;
  } finally {
    part.close();
  }
}

interface Conversation {
  post(request: PartRequest, given: ArrayBuffer[]): void;
  /** Waits until at most so many requests are unanswered; what has been answered so far. */
  answers(aheadMax: number): Promise<Uint8Array[]>;
  readonly outcome: Promise<void>;
  close(): void;
}

async function openConversation(options: PartWriterOptions): Promise<Conversation> {
  threads ??= openThreads();
  const { port1: port, port2 } = new MessageChannel();
  const task: PartTask = { ...options, port: port2 };
  const run = (await threads).run(task, { transferList: [port2] }) as Promise<PartOutcome>;
  let unanswered = 0;
  let pieces: Uint8Array[] = [];
  let heard = Promise.withResolvers<void>();
  port.on('message', (answer: PartAnswer) => {
    unanswered -= 1;
    pieces.push(...answer);
    heard.resolve();
  });
  const outcome = run.then(({ refused }) => {
    if (refused !== undefined) throw new ParquetRefusal(refused);
  });
  // It is awaited at the end; until then a thread that failed is one that answers no more.
  let failed = false;
  outcome.catch(() => {
    failed = true;
    heard.resolve();
  });
  return {
    outcome,
    post(request, given) {
      unanswered += 1;
      port.postMessage(request, given);
    },
    async answers(aheadMax) {
      while (unanswered > aheadMax) {
        if (failed) await outcome;
        await heard.promise;
        heard = Promise.withResolvers();
      }
      const answered = pieces;
      pieces = [];
      return answered;
    },
    close: () => port.close(),
  };
}
