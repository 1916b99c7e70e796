/** A part of a Parquet file as a stream, written on a thread: the event loop only passes the bytes on. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { MessageChannel } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import type { PartSource } from '../../artifacts/artifact-store.js';
import { packageRoot } from '../../embedded/cache-folder.js';
import { ByteCounter, type CountedStream } from '../compressions.js';
import type { PartAnswer, PartOutcome, PartRequest, PartTask } from './part.thread.js';
import type { PartWriterOptions } from './part-writer.js';
import { ParquetRefusal } from './refusal.js';

/** Two keep up with four parts of PostgreSQL’s, and hold 60 MB each; parts beyond wait for each other. */
const THREADS_MAX = 2;
/** A thread keeps what it has compiled, and some memory: it goes when nobody asks for Parquet any more. */
const THREAD_IDLE_MS = 10_000;
/** More room for what is short-lived makes the process 20 MB larger, and a twentieth quicker. */
const YOUNG_GENERATION_MB = 6;
/** Blocks of the COPY on their way to the thread. */
const REQUESTS_AHEAD_MAX = 3;
/** As large as those blocks. */
const REQUEST_BYTES = 1 << 18;

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
export function parquetPart(rows: PartSource, options: PartWriterOptions): CountedStream {
  const counted = new ByteCounter();
  // Its reader is told of every failure: the pipeline destroys the last stream with the error.
  pipeline(
    rows,
    (source: AsyncIterable<Buffer>) => written(source, options, (chunk) => rows.takeBack?.(chunk)),
    counted,
    () => undefined,
  );
  return counted;
}

async function* written(
  rows: AsyncIterable<Buffer>,
  options: PartWriterOptions,
  takeBack: (chunk: Buffer) => void,
): AsyncGenerator<Uint8Array> {
  const part = await openConversation(options);
  try {
    for await (const chunk of rows) {
      part.post(chunk);
      takeBack(chunk);
      yield* await part.answers(REQUESTS_AHEAD_MAX);
    }
    part.post('end');
    yield* await part.answers(0);
    await part.outcome;
  } finally {
    part.close();
  }
}

interface Conversation {
  /** Copies what it is given. */
  post(request: Buffer | 'end'): void;
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
  // Buffers go there and back: new ones would only be collected, by two heaps that both see no need to.
  const free: ArrayBuffer[] = [];
  port.on('message', (answer: PartAnswer) => {
    unanswered -= 1;
    pieces.push(...answer.pieces);
    if (answer.buffer) free.push(answer.buffer);
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
    post(request) {
      unanswered += 1;
      if (request === 'end') {
        port.postMessage(request satisfies PartRequest);
        return;
      }
      const known = free.pop();
      const fits = known !== undefined && known.byteLength >= request.length;
      const buffer = fits ? known : new ArrayBuffer(Math.max(REQUEST_BYTES, request.length));
      new Uint8Array(buffer).set(request);
      port.postMessage({ buffer, bytes: request.length } satisfies PartRequest, [buffer]);
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
