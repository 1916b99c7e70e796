/** The documents are held against what they speak of. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeKind } from '../../libs/saga/describe.js';
import { tripBook } from './trip-book.job.js';

const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path)),
];

/** As GitHub makes anchors of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

describe('links', () => {
  it.each(documents)('%s points to files and headings that are there', (document) => {
    const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? join(ROOT, document) : join(ROOT, dirname(document), path);
      if (!existsSync(target)) return true;
      if (anchor === undefined) return false;
      const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)].map((match) =>
        anchorOf(match[1] ?? ''),
      );
      return !headings.includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe('the smallest job', () => {
  it('in the README is the one that is compiled here', () => {
    const source = read('test/docs/trip-book.job.ts').replace("'../../libs/", "'../libs/");
    expect(read('README.md')).toContain(`\`\`\`ts\n${source}\`\`\``);
  });

  it('is a whole kind', () => {
    const kind = describeKind(tripBook);
    expect(kind.steps.map((step) => [step.name, step.kind])).toEqual([
      ['reserve', 'compensable'],
      ['charge', 'pivot'],
      ['ticket', 'retriable'],
    ]);
    expect(kind.naturalKey.example).toEqual(['LH-7', '12A']);
  });
});

describe('configuration', () => {
  it('names every setting there is', () => {
    const settings = read('libs/config/settings.ts');
    const schema = settings.slice(
      settings.indexOf('z.object({'),
      settings.indexOf('export interface Settings'),
    );
    const names = [...schema.matchAll(/^ {2}([A-Z0-9_]+):/gm)].map((match) => match[1] ?? '');
    expect(names).toContain('DATABASE_URL');
    const document = read('docs/configuration.md');
    expect(names.filter((name) => !document.includes(`\`${name}\``))).toEqual([]);
  });

  it('gives the defaults that are in the code', () => {
    const settings = read('libs/config/settings.ts');
    const document = read('docs/configuration.md').replace(/ +/g, ' ');
    const defaults = [...settings.matchAll(/^ {2}([A-Z0-9_]+):.*?\.default\('?([^')]+)'?\)/gm)];
    expect(defaults.length).toBeGreaterThan(3);
    for (const [, name, value] of defaults) expect(document).toContain(`| \`${name}\` | \`${value}\` |`);
  });
});

describe('the glossary', () => {
  it('is in alphabetical order', () => {
    const words = [...read('docs/glossary.md').matchAll(/^\| \*\*(.+?)\*\*/gm)].map(
      (match) => match[1] ?? '',
    );
    expect(words.length).toBeGreaterThan(20);
    expect(words).toEqual(words.toSorted((a, b) => a.localeCompare(b, 'en')));
  });
});

describe('commands', () => {
  const found = (pattern: RegExp): string[] =>
    documents.flatMap((document) => [...read(document).matchAll(pattern)].map((match) => match[1] ?? ''));

  it('are scripts of package.json', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(found(/npm run ([a-z:]+)/g).filter((name) => !(name in scripts))).toEqual([]);
  });

  it('are commands of longhaul', () => {
    const commands = readdirSync(join(ROOT, 'apps/cli/commands')).flatMap(
      (file) => /^([a-z-]+)\.command\.ts$/.exec(file)?.[1] ?? [],
    );
    const called = found(/(?:\.\/|`)longhaul ([a-z-]+)/g);
    expect(called.length).toBeGreaterThan(5);
    expect(called.filter((name) => !commands.includes(name))).toEqual([]);
  });
});
