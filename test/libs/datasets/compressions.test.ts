/** Compressed parts: whole, counted, and ended together with whoever writes or reads them. */
import { randomBytes } from 'node:crypto';
import { PassThrough, Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { unzstd } from '../../../scripts/unzstd.js';
import { compressed, COMPRESSIONS } from '../../../libs/datasets/compressions.js';

const BLOCK = Buffer.alloc(1 << 18, 'a line of text, and another, ');

/** Cannot be made smaller: what goes in must come out. */
const noise = (): Buffer => randomBytes(BLOCK.length);

const blocks = (count: number): Readable => Readable.from(Array.from({ length: count }, () => BLOCK));

describe.each(['gzip', 'zstd'] as const)('%s', (name) => {
  const compression = COMPRESSIONS[name];

  test('makes parts that laid end to end are one file', async () => {
    const parts = await Promise.all([3, 0, 1].map((count) => buffer(compressed(blocks(count), compression))));
    const file = Buffer.concat(parts);
    const whole = name === 'gzip' ? gunzipSync(file) : unzstd(file);
    expect(whole.equals(Buffer.concat([BLOCK, BLOCK, BLOCK, BLOCK]))).toBe(true);
  });

  test('counts the bytes it gave', async () => {
    const stream = compressed(blocks(3), compression);
    const bytes = await buffer(stream);
    expect(stream.bytes).toBe(bytes.length);
    expect(stream.bytes).toBeLessThan(BLOCK.length);
  });

  test('tells its reader the source’s error', async () => {
    const lost = new Error('connection lost');
    const source = Readable.from(
      (async function* () {
        yield BLOCK;
        await Promise.resolve();
        throw lost;
      })(),
    );
    await expect(buffer(compressed(source, compression))).rejects.toBe(lost);
  });

  test('ends its source when its reader is aborted, or fails', async () => {
    const stop = new AbortController();
    const full = new Error('no space');
    const never = new Writable({ write: () => stop.abort() });
    const failing = new Writable({ write: (_chunk, _encoding, callback) => callback(full) });
    for (const [sink, error] of [
      [never, 'aborted'],
      [failing, 'no space'],
    ] as const) {
      const source = new PassThrough();
      const ended = finished(source).catch((reason: unknown) => reason);
      for (let written = 0; written < 8; written += 1) source.write(noise());
      const signal = sink === never ? stop.signal : new AbortController().signal;
      await expect(pipeline(compressed(source, compression), sink, { signal })).rejects.toThrow(error);
      expect(await ended).toBeInstanceOf(Error);
      expect(source.destroyed).toBe(true);
    }
  });

  test('takes no more from its source than its reader takes from it', async () => {
    const blocksMax = 60;
    let taken = 0;
    const source = new Readable({
      highWaterMark: BLOCK.length,
      read() {
        taken += 1;
        this.push(taken > blocksMax ? null : noise());
      },
    });
    const stream = compressed(source, compression);
    // Nobody reads: both ends fill up, and then it stands still.
    const isFull = (one: Readable): boolean => one.readableLength >= one.readableHighWaterMark;
    while (taken <= blocksMax && !(isFull(stream) && isFull(source))) await setImmediate();
    expect(taken).toBeLessThan(blocksMax / 4);
    stream.resume();
    await finished(stream);
    expect(taken).toBe(blocksMax + 1);
  });
});
