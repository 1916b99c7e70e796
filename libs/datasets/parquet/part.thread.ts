/** What runs on a thread of the pool: one part, spoken about over a port until it is whole. */
import type { MessagePort } from 'node:worker_threads';
import { openPart, type PartWriterOptions } from './part-writer.js';
import { ParquetRefusal } from './refusal.js';

export interface PartTask extends PartWriterOptions {
  readonly port: MessagePort;
}

/** To the thread: the COPY's next bytes, or that there are no more. */
export type PartRequest = Uint8Array<ArrayBuffer> | 'end';
/** Back, one for each request: what can be written. */
export type PartAnswer = Uint8Array<ArrayBuffer>[];
/** How a task ends: well (or given up by the other side), or with what no Parquet file holds. */
export type PartOutcome = { readonly refused?: string };

/** Ends with the file, or when the port is closed. Throws what should not happen. */
export default async function writePart({ port, ...options }: PartTask): Promise<PartOutcome> {
  const part = openPart(options);
  const { promise, resolve, reject } = Promise.withResolvers<PartOutcome>();
  port.on('close', () => resolve({}));
  port.on('message', (request: PartRequest) => {
    try {
      const answer: PartAnswer = request === 'end' ? part.end() : part.push(request);
      port.postMessage(
        answer,
        answer.map(({ buffer }) => buffer),
      );
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
