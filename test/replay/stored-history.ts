/** The files of stored histories: `<kind>/<release>/<shape>.json`, an event a line, and an index that tells what each is. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Shape } from './shape.js';

export const HISTORIES = fileURLToPath(new URL('./histories', import.meta.url));
const INDEX = 'index.json';

/** In Temporal's JSON. */
export type StoredEvent = Readonly<Record<string, unknown>> & { readonly eventType: string };

export interface StoredHistory {
  readonly events: readonly StoredEvent[];
}

/** What an index says of a history. */
export type Summary = Pick<Shape, 'what' | 'ends'> & { readonly events: number };
type Index = Readonly<Record<string, Summary>>;

export interface StoredShape extends Summary {
  readonly kind: string;
  readonly release: string;
  readonly shape: string;
  /** For tests' names: `report.export 0.1.0 parked`. */
  readonly label: string;
  readonly path: string;
}

/** Every history there is, of every release. Throws where an index and its folder do not tell the same. */
export function storedShapes(root = HISTORIES): StoredShape[] {
  return foldersOf(root).flatMap((kind) =>
    foldersOf(join(root, kind)).flatMap((release) => {
      const folder = join(root, kind, release);
      const index = JSON.parse(readFileSync(join(folder, INDEX), 'utf8')) as Index;
      const there = readdirSync(folder).filter((file) => file !== INDEX);
      const named = Object.keys(index).map((shape) => `${shape}.json`);
      const odd = [
        ...there.filter((file) => !named.includes(file)),
        ...named.filter((file) => !there.includes(file)),
      ];
      if (odd.length > 0) throw new Error(`${folder}: its index and its files differ in ${odd.join(', ')}`);
      return Object.entries(index).map(([shape, summary]) => ({
        ...summary,
        ...{ kind, release, shape, label: `${kind} ${release} ${shape}` },
        path: join(folder, `${shape}.json`),
      }));
    }),
  );
}

export function readHistory(path: string): StoredHistory {
  return JSON.parse(readFileSync(path, 'utf8')) as StoredHistory;
}

/** Of the job whose history it is: its payloads are sealed for that job. */
export function workflowIdOf({ events }: StoredHistory): string {
  const started = events[0]?.['workflowExecutionStartedEventAttributes'] as { workflowId?: string };
  if (started.workflowId === undefined) throw new Error('The history does not begin with a start');
  return started.workflowId;
}

/** Puts a kind's histories of `release` in the place of those recorded for it before. */
export function writeHistories(
  kind: string,
  release: string,
  recorded: readonly {
    readonly shape: Pick<Shape, 'name' | 'what' | 'ends'>;
    readonly history: StoredHistory;
  }[],
  root = HISTORIES,
): void {
  const folder = join(root, kind, release);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { shape, history } of recorded)
    writeFileSync(join(folder, `${shape.name}.json`), textOf(history));
  const index: Index = Object.fromEntries(
    recorded.map(({ shape: { name, what, ends }, history }) => [
      name,
      { what, ends, events: history.events.length },
    ]),
  );
  writeFileSync(join(folder, INDEX), `${JSON.stringify(index, undefined, 2)}\n`);
}

function textOf({ events }: StoredHistory): string {
  return `{"events":[\n${events.map((event) => JSON.stringify(event)).join(',\n')}\n]}\n`;
}

/** A release's histories are what its open jobs have: they are never written again. */
export function refuseIfReleased(release: string, changelog: string): void {
  const isReleased = changelog.split('\n').some((line) => /^## \[?([^\s\]]+)/.exec(line)?.[1] === release);
  if (isReleased) {
    throw new Error(
      `Release ${release} is in CHANGELOG.md, and jobs of it may be open: its histories stay as they are. ` +
        'Raise the version in package.json, then record.',
    );
  }
}

function foldersOf(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
}
