import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readServerSentEvents, type ServerSentEvent } from '../../../libs/client/server-sent-events.js';

async function* chunksOf(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) return;
    yield bytes.subarray(at, at + size);
    at += size;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

async function read(text: string, sizes: readonly number[] = []): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of readServerSentEvents(chunksOf(Buffer.from(text), sizes))) events.push(event);
  return events;
}

describe('readServerSentEvents', () => {
  it('reads fields, several data lines, comments, and keeps the last id', async () => {
    expect(await read(': hello\n\nevent: job\nid: 7\ndata: {"a":\ndata: 1}\n\ndata:x\n\nid: 8\n\n')).toEqual([
      { event: 'job', data: '{"a":\n1}', id: '7' },
      { event: 'message', data: 'x', id: '7' },
    ]);
  });

  it('drops an event that the end of the stream cut off', async () => {
    expect(await read('data: whole\n\ndata: half')).toEqual([
      { event: 'message', data: 'whole', id: undefined },
    ]);
  });

  it('reads the same events however the bytes are cut and whichever line end is used', async () => {
    const value = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\0]/g, '').trim());
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ id: fc.nat(), data: value.filter((text) => text !== '') }), { minLength: 1 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 200 }),
        async (events, eol, sizes) => {
          const text = events
            .map(({ id, data }) => ['event: job', `id: ${id}`, `data: ${data}`, '', ''].join(eol))
            .join('');
          expect(await read(text, sizes)).toEqual(
            events.map(({ id, data }) => ({ event: 'job', data, id: String(id) })),
          );
        },
      ),
    );
  });
});
