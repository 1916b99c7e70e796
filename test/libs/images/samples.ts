/** Images for tests: made here, of parts that show where they ended up. */
import { deflateSync, crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

export const RED = { r: 220, g: 30, b: 30 };
export const GREEN = { r: 30, g: 200, b: 30 };
export const BLUE = { r: 30, g: 30, b: 220 };

type Colour = typeof RED;

/** Left half red, right half blue; 3 channels. */
export async function halves(width: number, height: number): Promise<Sharp> {
  const right = await plain(Math.floor(width / 2), height, BLUE);
  const input = await right.png().toBuffer();
  const left = await (await plain(width, height, RED)).png().toBuffer();
  return sharp(
    await sharp(left)
      .composite([{ input, gravity: 'east' }])
      .removeAlpha()
      .png()
      .toBuffer(),
  );
}

export async function plain(width: number, height: number, background: Colour): Promise<Sharp> {
  return Promise.resolve(sharp({ create: { width, height, channels: 3, background } }));
}

/** The colour in the middle of each quarter: top left, top right, bottom left, bottom right. */
export async function quarters(file: Buffer): Promise<string[]> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number): string => {
    const offset = (Math.floor(info.height * y) * info.width + Math.floor(info.width * x)) * info.channels;
    return nameOf(data[offset] ?? 0, data[offset + 1] ?? 0, data[offset + 2] ?? 0);
  };
  return [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)];
}

function nameOf(r: number, g: number, b: number): string {
  if (r > 230 && g > 230 && b > 230) return 'white';
  if (r > 150 && g < 90 && b < 90) return 'red';
  if (g > 150 && r < 90 && b < 90) return 'green';
  if (b > 150 && r < 90 && g < 90) return 'blue';
  return `${r},${g},${b}`;
}

/** A PNG of so many pixels of zeros, in a few kilobytes. */
export function pngBomb(side: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  // One bit a pixel, grey.
  header.set([1, 0, 0, 0, 0], 8);
  const rows = deflateSync(Buffer.alloc((Math.ceil(side / 8) + 1) * side), { level: 9 });
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
}

/** A GIF of so many frames, the first red and the others blue. */
export async function animation(frames: number): Promise<Buffer> {
  const side = 16;
  const pixels = Buffer.alloc(side * side * 3 * frames);
  for (let at = 0; at < pixels.length; at += 3) {
    const { r, g, b } = at < side * side * 3 ? RED : BLUE;
    pixels.set([r, g, b], at);
  }
  // Frames that are the same would be made one: a white pixel wanders.
  for (let frame = 0; frame < frames; frame += 1) {
    pixels.fill(
      255,
      (frame * side * side + (frame % side)) * 3,
      (frame * side * side + (frame % side)) * 3 + 3,
    );
  }
  return sharp(pixels, { raw: { width: side, height: side * frames, channels: 3, pageHeight: side } })
    .gif({ loop: 0, delay: Array.from({ length: frames }, () => 50) })
    .toBuffer();
}
