/**
 * Draws the pictures of docs/kinds/image.md: a source as a telephone stores it (lying on its side, with a place in its
 * metadata), and what the worker's own code makes of it. `node dist/scripts/draw-image-samples.js`
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { decode } from '../libs/images/pixels.js';
import { ENCODERS, render, type RenditionOptions } from '../libs/images/rendition.js';

const WIDTH = 960;
const HEIGHT = 640;

/** Evening over hills: gradients and grain, which is what encoders differ in. */
const SCENE = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">
  <defs>
    <linearGradient id="sky" x2="0" y2="1">
      <stop offset="0" stop-color="#24375f"/><stop offset=".55" stop-color="#d98a6a"/><stop offset="1" stop-color="#f6d9a4"/>
    </linearGradient>
    <radialGradient id="sun"><stop offset="0" stop-color="#fff6da"/><stop offset=".35" stop-color="#ffe2a0"/>
      <stop offset="1" stop-color="#ffd28a" stop-opacity="0"/></radialGradient>
    <filter id="clouds"><feTurbulence type="fractalNoise" baseFrequency=".004 .02" numOctaves="5" seed="11"/>
      <feColorMatrix values="0 0 0 0 1  0 0 0 0 .93  0 0 0 0 .86  0 1.7 0 0 -.72"/></filter>
    <filter id="grain"><feTurbulence type="fractalNoise" baseFrequency=".35" numOctaves="3" seed="5"/>
      <feColorMatrix values="0 0 0 0 0  0 0 0 0 .05  0 0 0 0 .1  0 0 .55 0 -.12"/></filter>
    <clipPath id="near"><path d="M0 470 C120 420 210 480 330 455 S560 400 690 450 860 520 960 480 V640 H0Z"/></clipPath>
  </defs>
  <rect width="100%" height="100%" fill="url(#sky)"/>
  <rect width="100%" height="420" filter="url(#clouds)" opacity=".75"/>
  <circle cx="650" cy="330" r="190" fill="url(#sun)"/><circle cx="650" cy="330" r="42" fill="#fffbea"/>
  <path d="M0 400 L110 330 190 375 300 270 410 365 505 320 600 385 720 300 830 370 960 310 V640 H0Z" fill="#6d5a78"/>
  <path d="M0 440 C110 385 240 430 350 395 S600 350 720 405 870 420 960 385 V640 H0Z" fill="#453f5e"/>
  <path d="M0 470 C120 420 210 480 330 455 S560 400 690 450 860 520 960 480 V640 H0Z" fill="#2a3a3f"/>
  <rect y="380" width="100%" height="260" filter="url(#grain)" clip-path="url(#near)"/>
  <g stroke="#16201f" stroke-width="3" fill="#16201f">
    <path d="M168 470 V372"/><path d="M168 352 l24 52 h-48z M168 378 l32 56 h-64z M168 408 l38 54 h-76z"/>
    <path d="M232 476 V410"/><path d="M232 398 l16 36 h-32z M232 418 l22 40 h-44z"/>
  </g>
</svg>`;

const RENDITIONS: readonly (RenditionOptions & { readonly name: string })[] = [
  {
    name: 'thumb',
    width: 160,
    height: 160,
    fit: 'cover',
    format: 'webp',
    background: '#ffffff',
    enlarge: false,
  },
  {
    name: 'card',
    width: 240,
    height: 240,
    fit: 'contain',
    format: 'jpeg',
    background: '#efe7dc',
    enlarge: false,
  },
  { name: 'wide', width: 480, fit: 'inside', format: 'avif', background: '#ffffff', enlarge: false },
  {
    name: 'rough',
    width: 480,
    fit: 'inside',
    format: 'jpeg',
    quality: 20,
    background: '#ffffff',
    enlarge: false,
  },
];

const folder = join(process.cwd(), 'docs', 'kinds', 'image');
mkdirSync(folder, { recursive: true });
// The drawing is ours; workers decode no SVG.
sharp.unblock({ operation: ['VipsForeignLoadSvg'] });
const upright = await sharp(Buffer.from(SCENE)).removeAlpha().png().toBuffer();
const source = await sharp(upright)
  .rotate(-90)
  .withExif({ IFD0: { Make: 'Longhaul' }, IFD3: { GPSLatitude: '46/1 30/1 0/1' } })
  .withMetadata({ orientation: 6 })
  .jpeg({ quality: 82 })
  .toBuffer();
write('source.jpg', source);
const pixels = await decode(source, RENDITIONS);
for (const rendition of RENDITIONS) {
  const { data, width, height } = await render(pixels, rendition);
  write(`${rendition.name}.${ENCODERS[rendition.format].extension}`, data);
  process.stdout.write(`${rendition.name}: ${width}×${height}, ${data.length} bytes\n`);
}

function write(name: string, bytes: Buffer): void {
  writeFileSync(join(folder, name), bytes);
}
