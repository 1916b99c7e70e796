/** Brings the schema `longhaul` up to date: the numbered SQL files beside this one, in order, each once. */
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';

/** Applies what is missing, under an advisory lock; answers the names applied. `url` is the owner's login. */
export async function migrate(url: string, log: (line: string) => void = () => undefined): Promise<string[]> {
  const applied = await runner({
    databaseUrl: url,
    dir: fileURLToPath(new URL('migrations', import.meta.url)),
    direction: 'up',
    count: Infinity,
    migrationsTable: 'migrations',
    migrationsSchema: 'longhaul',
    createMigrationsSchema: true,
    checkOrder: true,
    logger: { debug: () => undefined, info: log, warn: log, error: log },
  });
  return applied.map((migration) => migration.name);
}
