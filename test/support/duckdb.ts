/** DuckDB as an independent reader of Parquet, in a Python process that answers one question after another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { installPythonPackages } from './python-packages.js';

const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export interface DuckDb {
  /** The rows, each value as text; throws DuckDB's own error. */
  ask(sql: string): Promise<(string | null)[][]>;
  close(): Promise<void>;
}

/** Starts it; the first time it is installed. */
export async function openDuckDb(): Promise<DuckDb> {
  const folder = await installPythonPackages('duckdb', beside('duckdb.requirements.txt'));
  const child = spawn('python3', [beside('duckdb-answers.py')], {
    env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(sql) {
      child.stdin.write(`${JSON.stringify(sql)}\n`);
      const line = await answers.next();
      if (line.done) throw new Error('DuckDB ended');
      const answer = JSON.parse(line.value) as { rows?: (string | null)[][]; error?: string };
      if (!answer.rows) throw new Error(answer.error);
      return answer.rows;
    },
    async close() {
      child.stdin.end();
      await exited;
    },
  };
}
