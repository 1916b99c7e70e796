import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { sniffSize, sniffType } from '../../../libs/images/sniff.js';
import { animation, halves } from './samples.js';

const image = () => halves(120, 80);

describe('the type', () => {
  test.each<[string, () => Promise<Buffer>]>([
    ['image/jpeg', async () => (await image()).jpeg().toBuffer()],
    ['image/png', async () => (await image()).png().toBuffer()],
    ['image/webp', async () => (await image()).webp().toBuffer()],
    ['image/avif', async () => (await image()).avif().toBuffer()],
    ['image/gif', () => animation(2)],
  ])('%s is told by its bytes, and its size', async (contentType, make) => {
    const bytes = await make();
    expect(await sniffType(bytes)).toEqual({ contentType });
    const { width, height } = await sharp(bytes).metadata();
    expect(sniffSize(bytes)).toEqual({ width, height });
  });

  test.each<[string, Buffer, string]>([
    ['SVG', Buffer.from('<?xml version="1.0"?>\n<!-- x --><svg xmlns="x">'), 'image/svg+xml'],
    ['bare SVG', Buffer.from('  <svg width="1">'), 'image/svg+xml'],
    ['PDF', Buffer.from('%PDF-1.7\n%âãÏÓ'), 'application/pdf'],
    ['a ZIP', Buffer.from('504b03041400000008000000', 'hex'), 'application/zip'],
    ['TIFF', Buffer.from('49492a00080000000000000000000000', 'hex'), 'image/tiff'],
    ['text', Buffer.from('hello there'), 'of no known type'],
    ['nothing', Buffer.alloc(0), 'empty'],
  ])('%s is none that is taken, and is called what it is', async (_, bytes, expected) => {
    const found = await sniffType(bytes);
    expect(found).toEqual({ instead: expect.stringContaining(expected) as string });
  });
});

describe('the size', () => {
  test('is as shown: with its orientation', async () => {
    const turned = await (await image()).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(sniffSize(turned)).toEqual({ width: 80, height: 120 });
  });

  test('is told of the beginning alone, and is unknown where that is broken', async () => {
    const bytes = await (await image()).jpeg().toBuffer();
    expect(sniffSize(bytes.subarray(0, 700))).toEqual({ width: 120, height: 80 });
    expect(sniffSize(bytes.subarray(0, 12))).toBeUndefined();
  });
});
