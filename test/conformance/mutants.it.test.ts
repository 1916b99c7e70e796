/** The explorer proved: each wrong made in a copy of the engine turns it red. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { afterAll, describe, expect, test } from 'vitest';
import type { explore as Explore, SagaViolation } from '../../libs/saga/explore.js';
import { exploreKinds } from './explored-kinds.js';
import { mutants, type Mutant } from './mutants.js';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const BUILT = join(REPOSITORY, 'dist', 'libs', 'saga');
const SOURCE = join(REPOSITORY, 'libs', 'saga');
const PAGE = join(REPOSITORY, 'docs', 'saga-engine.md');
/** Whose violation the page tells and explains. */
const TOLD = 'lastFailureDecides';
const TIMEOUT_MS = 300_000;

const found: {
  readonly name: string;
  readonly wrong: string;
  readonly invariant: string;
  readonly schedules: number;
  readonly story: string;
}[] = [];
// Beside the build, so that what it imports is found.
const folder = mkdtempSync(join(REPOSITORY, 'dist', 'mutants-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The engine with the mutant's patches. */
async function mutated({ name, patches }: Mutant): Promise<{ explore: typeof Explore }> {
  const copy = join(folder, name);
  cpSync(BUILT, copy, { recursive: true });
  const sources = new Map<string, string>();
  for (const { file, find, replace } of patches) {
    const source = sources.get(file) ?? readFileSync(join(SOURCE, file), 'utf8');
    const parts = source.split(find);
    if (parts.length !== 2)
      throw new Error(`${name}: "${find}" is in ${file} ${parts.length - 1} times, not once`);
    sources.set(file, parts.join(replace));
  }
  for (const [file, source] of sources) {
    const script = stripTypeScriptTypes(source, { mode: 'transform' });
    writeFileSync(join(copy, file.replace(/\.ts$/, '.js')), script);
  }
  return (await import(/* @vite-ignore */ pathToFileURL(join(copy, 'explore.js')).href)) as {
    explore: typeof Explore;
  };
}

describe('the explorer finds', () => {
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    '%s',
    async (name, mutant) => {
      const { explore } = await mutated(mutant);
      const violation = await exploreKinds[mutant.kind ?? 'order'](explore, {
        departuresMax: 2,
        ...(mutant.continueAfter === undefined ? {} : { continueAfter: mutant.continueAfter }),
      }).then(
        () => undefined,
        (error: unknown) => error as SagaViolation,
      );
      expect(violation?.name, `${name} breaks no rule that the explorer sees`).toBe('SagaViolation');
      found.push({
        name,
        wrong: mutant.wrong,
        invariant: violation!.invariant,
        schedules: violation!.schedules,
        story: violation!.message,
      });
    },
    TIMEOUT_MS,
  );
});

test('the page on the engine has the table of what found them, and the story of one (`vitest -u` writes both)', async () => {
  const rows = found.map(
    ({ name, wrong, invariant, schedules }) => `| \`${name}\` | ${wrong} | ${invariant} | ${schedules} |`,
  );
  const head = ['| mutant | what it does wrong | found by | in schedule |', '| --- | --- | --- | ---: |'];
  const told = found.find(({ name }) => name === TOLD);
  const page = [
    { name: 'mutants', text: [...head, ...rows].join('\n') },
    { name: 'story', text: `\`\`\`text\n${told?.story}\n\`\`\`` },
  ].reduce(withSection, readFileSync(PAGE, 'utf8'));
  const config = await resolveConfig(PAGE);
  await expect(await format(page, { ...config, filepath: PAGE })).toMatchFileSnapshot(PAGE);
});

/** The page with this text between the section's markers. */
function withSection(page: string, { name, text }: { name: string; text: string }): string {
  const [begin, end] = [`<!-- ${name}: written by the run -->`, `<!-- /${name} -->`];
  const [before, after] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  if (before < begin.length || after < before) throw new Error(`${PAGE} has no "${begin}" … "${end}"`);
  return `${page.slice(0, before)}\n\n${text}\n\n${page.slice(after)}`;
}
