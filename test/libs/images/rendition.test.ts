import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decode, ImageUnreadable, type Box } from '../../../libs/images/pixels.js';
import { render, type RenditionOptions } from '../../../libs/images/rendition.js';
import { animation, BLUE, GREEN, halves, plain, pngBomb, quarters } from './samples.js';

const BOX: Box = { width: 64, fit: 'inside' };
const WISH: RenditionOptions = {
  ...BOX,
  format: 'webp',
  quality: 90,
  background: '#ffffff',
  enlarge: false,
};

async function rendered(source: Buffer, wish: Partial<RenditionOptions> = {}): Promise<Buffer> {
  const options = { ...WISH, ...wish };
  return (await render(await decode(source, [options]), options)).data;
}

async function sizeOf(file: Buffer): Promise<string> {
  const { width, height, format } = await sharp(file).metadata();
  return `${format} ${width}×${height}`;
}

const refusalOf = async (bytes: Buffer): Promise<string> => {
  const error = await decode(bytes, [BOX]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageUnreadable);
  return (error as ImageUnreadable).code;
};

describe('orientation', () => {
  // What EXIF's numbers mean: how the stored pixels lie to what is shown (stored: left red, right blue).
  test.each([
    [1, ['red', 'blue', 'red', 'blue'], '64×32'],
    [2, ['blue', 'red', 'blue', 'red'], '64×32'],
    [3, ['blue', 'red', 'blue', 'red'], '64×32'],
    [4, ['red', 'blue', 'red', 'blue'], '64×32'],
    [5, ['red', 'red', 'blue', 'blue'], '64×128'],
    [6, ['red', 'red', 'blue', 'blue'], '64×128'],
    [7, ['blue', 'blue', 'red', 'red'], '64×128'],
    [8, ['blue', 'blue', 'red', 'red'], '64×128'],
  ])('%i is applied to the pixels, and not asked for again', async (orientation, colours, size) => {
    const source = await (
      await halves(128, 64)
    )
      .jpeg({ quality: 95 })
      .withMetadata({ orientation })
      .toBuffer();
    const file = await rendered(source);
    expect(await quarters(file)).toEqual(colours);
    expect(await sizeOf(file)).toBe(`webp ${size}`);
    expect((await sharp(file).metadata()).orientation).toBeUndefined();
  });
});

describe('what is left of the source', () => {
  test.each(['jpeg', 'webp', 'avif'] as const)(
    'is pixels alone: no place, no camera, no author, no profile, in %s',
    async (format) => {
      const source = await (
        await halves(96, 96)
      )
        .withExif({ IFD0: { Artist: 'somebody' }, IFD3: { GPSLatitude: '51/1 30/1 0/1' } })
        .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"><who>somebody</who></x:xmpmeta>')
        .withIccProfile('p3')
        .jpeg()
        .toBuffer();
      expect(source.includes('somebody')).toBe(true);
      const file = await rendered(source, { format });
      const { exif, xmp, icc, iptc } = await sharp(file).metadata();
      expect({ exif, xmp, icc, iptc }).toEqual({});
      expect(file.includes('somebody')).toBe(false);
    },
  );

  test('is in sRGB, whatever its profile: the colour stays what it looked like', async () => {
    const source = await (await plain(32, 32, GREEN)).withIccProfile('p3').jpeg({ quality: 100 }).toBuffer();
    const stored = await sharp(source, { ignoreIcc: true }).raw().toBuffer();
    expect(stored[0]).toBeGreaterThan(GREEN.r + 40);
    const shown = await sharp(await rendered(source, { quality: 100 }))
      .raw()
      .toBuffer();
    expect(Math.abs((shown[0] ?? 0) - GREEN.r)).toBeLessThan(8);
    expect(Math.abs((shown[1] ?? 0) - GREEN.g)).toBeLessThan(8);
  });

  test.each([
    ['grey', async () => (await plain(32, 32, BLUE)).greyscale().png().toBuffer()],
    ['CMYK', async () => (await plain(32, 32, BLUE)).toColourspace('cmyk').jpeg().toBuffer()],
    ['16 bits', async () => (await plain(32, 32, BLUE)).toColourspace('rgb16').png().toBuffer()],
    ['a palette', async () => (await plain(32, 32, BLUE)).png({ palette: true }).toBuffer()],
  ])('is 8-bit RGB, of %s too', async (_, make) => {
    const { channels, data } = await decode(await make(), [BOX]);
    expect([channels, data.length]).toEqual([3, 32 * 32 * 3]);
  });

  test('is the same bytes each time', async () => {
    const source = await (await halves(200, 100)).jpeg().toBuffer();
    for (const format of ['avif', 'webp', 'jpeg'] as const) {
      expect((await rendered(source, { format })).equals(await rendered(source, { format }))).toBe(true);
    }
  });
});

describe('sizes', () => {
  test.each<[string, Partial<RenditionOptions>, string]>([
    ['fits inside the width, its shape kept', { width: 50 }, '50×25'],
    ['fits inside the height', { width: undefined, height: 10 }, '20×10'],
    ['fits inside both', { width: 50, height: 10 }, '20×10'],
    ['covers the box, the rest cut off', { width: 30, height: 30, fit: 'cover' }, '30×30'],
    ['is padded to the box', { width: 30, height: 30, fit: 'contain' }, '30×30'],
    ['is distorted to the box', { width: 30, height: 40, fit: 'fill' }, '30×40'],
    ['is not enlarged', { width: 400 }, '200×100'],
    ['is enlarged when asked to', { width: 400, enlarge: true }, '400×200'],
  ])('it %s', async (_, wish, size) => {
    const source = await (await halves(200, 100)).png().toBuffer();
    expect(await sizeOf(await rendered(source, { ...wish }))).toBe(`webp ${size}`);
  });

  test('decodes once, as large as the largest of a set needs and no larger', async () => {
    const source = await (await halves(1200, 600)).jpeg().toBuffer();
    const boxes: Box[] = [
      { width: 100, fit: 'inside' },
      { width: 200, height: 200, fit: 'cover' },
    ];
    const { width, height, source: shown } = await decode(source, boxes);
    expect([width, height, shown.width]).toEqual([400, 200, 1200]);
  });
});

describe('transparency', () => {
  const seeThrough = () =>
    sharp({ create: { width: 64, height: 64, channels: 4, background: { ...BLUE, alpha: 0 } } })
      .png()
      .toBuffer();

  test('lies on the background where the format has none', async () => {
    const file = await rendered(await seeThrough(), { format: 'jpeg' });
    expect(await quarters(file)).toEqual(['white', 'white', 'white', 'white']);
    const red = await rendered(await seeThrough(), { format: 'jpeg', background: '#dc1e1e' });
    expect((await quarters(red))[0]).toBe('red');
  });

  test.each(['webp', 'avif'] as const)('stays in %s', async (format) => {
    const { hasAlpha } = await sharp(await rendered(await seeThrough(), { format })).metadata();
    expect(hasAlpha).toBe(true);
  });
});

describe('what nobody vouches for', () => {
  test('a bomb of 400 megapixels in a few kB is refused by its header', async () => {
    const bomb = pngBomb(20_000);
    expect(bomb.length).toBeLessThan(100_000);
    expect(await refusalOf(bomb)).toBe('image_too_large');
  });

  test('of many frames the first is decoded, and the others are counted', async () => {
    const { source, height, data } = await decode(await animation(200), [BOX]);
    expect([source.frames, height, data.length]).toEqual([200, 16, 16 * 16 * 4]);
    expect((await quarters(await rendered(await animation(3))))[0]).toBe('red');
  });

  test.each<[string, () => Promise<Buffer>]>([
    ['half a JPEG', async () => cut(await (await halves(400, 400)).jpeg().toBuffer())],
    ['half a PNG', async () => cut(await (await halves(400, 400)).png({ compressionLevel: 0 }).toBuffer())],
    ['half a WebP', async () => cut(await (await halves(400, 400)).webp({ lossless: true }).toBuffer())],
    [
      'SVG',
      () => Promise.resolve(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')),
    ],
    ['PDF', () => Promise.resolve(Buffer.from('%PDF-1.7\n'))],
    [
      'TIFF',
      () =>
        sharp({ create: { width: 9, height: 9, channels: 3, background: '#fff' } })
          .tiff()
          .toBuffer(),
    ],
    ['a script that begins as a GIF', () => Promise.resolve(Buffer.from('GIF89a=1;alert(1)//'))],
    ['nothing', () => Promise.resolve(Buffer.alloc(0))],
  ])('%s is refused as unreadable', async (_, make) => {
    expect(await refusalOf(await make())).toBe('image_unreadable');
  });

  test('what hangs behind an image is left behind', async () => {
    const source = Buffer.concat([await (await halves(64, 64)).jpeg().toBuffer(), Buffer.from('<script>PK')]);
    expect((await rendered(source, { format: 'jpeg' })).includes('<script>')).toBe(false);
  });
});

function cut(bytes: Buffer): Buffer {
  return bytes.subarray(0, Math.floor(bytes.length / 2));
}
