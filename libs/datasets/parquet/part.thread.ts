/** What runs on a thread of the pool: one part, spoken about over a port until it is whole. */
import type { MessagePort } from 'node:worker_threads';
import { createPartMemory, openPart, type PartMemory, type PartWriterOptions } from './part-writer.js';
import { ParquetRefusal } from './refusal.js';

export interface PartTask extends PartWriterOptions {
  readonly port: MessagePort;
}

/** To the thread: the COPY's next bytes, which lie at the beginning of a buffer; or that there are no more. */
export type PartRequest = { readonly buffer: ArrayBuffer; readonly bytes: number } | 'end';
/** Back, one for each request: what can be written, and the buffer, to be filled again. */
export interface PartAnswer {
  readonly pieces: Uint8Array<ArrayBuffer>[];
  readonly buffer?: ArrayBuffer;
}
/** How a task ends: well (or given up by the other side), or with what no Parquet file holds. */
export type PartOutcome = { readonly refused?: string };

/** Of the parts before: those of one export have the same columns. */
let memory: { readonly columns: string; readonly parts: PartMemory } | undefined;

function memoryFor(options: PartWriterOptions): PartMemory {
  const columns = JSON.stringify(options.columns);
  if (memory?.columns !== columns) memory = { columns, parts: createPartMemory(options.columns) };
  return memory.parts;
}

/** Ends with the file, or when the port is closed. Throws what should not happen. */
export default async function writePart({ port, ...options }: PartTask): Promise<PartOutcome> {
  const part = openPart(options, memoryFor(options));
  const answerTo = (request: PartRequest): PartAnswer => {
    if (request === 'end') return { pieces: part.end() };
    const { buffer, bytes } = request;
    return { pieces: part.push(new Uint8Array(buffer, 0, bytes)), buffer };
  };
  const { promise, resolve, reject } = Promise.withResolvers<PartOutcome>();
  port.on('close', () => resolve({}));
  port.on('message', (request: PartRequest) => {
    try {
      const answer = answerTo(request);
      const given = answer.pieces.map(({ buffer }) => buffer);
      port.postMessage(answer, answer.buffer ? [...given, answer.buffer] : given);
      if (request === 'end') resolve({});
    } catch (error) {
      if (error instanceof ParquetRefusal) resolve({ refused: error.message });
      else reject(error);
    }
  });
  try {
    return await promise;
  } finally {
    // An answer that is under way still arrives.
    port.close();
  }
}
