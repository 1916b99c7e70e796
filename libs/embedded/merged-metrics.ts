/** One address for the metrics of all the stack's processes, each sample labelled with its process. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MetricsSource {
  /** Value of the label `process`. */
  readonly process: string;
  readonly url: string;
}

export interface MergedMetrics {
  readonly url: string;
  close(): Promise<void>;
}

const SOURCE_TIMEOUT_MS = 2_000;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?( .+)$/;
/** The suffixes under which a histogram's and a summary's samples stand below their family's name. */
const SUFFIX = /_(bucket|sum|count|total)$/;

/** Serves `GET /metrics`; `sources` is asked at every request, since processes come and go. */
export async function serveMergedMetrics(
  host: string,
  port: number,
  sources: () => readonly MetricsSource[],
): Promise<MergedMetrics> {
  const server: Server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Here is only /metrics.\n');
      return;
    }
    void collect(sources()).then((text) => {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  server.unref();
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host}:${bound}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function collect(sources: readonly MetricsSource[]): Promise<string> {
  const texts = await Promise.all(
    sources.map(async ({ process, url }) => {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(SOURCE_TIMEOUT_MS) });
        return { process, text: response.ok ? await response.text() : undefined };
      } catch {
        return { process, text: undefined }; // dead or dying: longhaul_process_up says so
      }
    }),
  );
  return mergeMetrics(texts);
}

/**
 * Joins texts in Prometheus's format: each family's HELP and TYPE once, all its samples below it, each with the
 * label `process`. A source without a text has `longhaul_process_up` 0.
 */
export function mergeMetrics(texts: readonly { process: string; text: string | undefined }[]): string {
  const families = new Map<string, { head: string[]; samples: string[] }>();
  const family = (name: string): { head: string[]; samples: string[] } => {
    const there = families.get(name) ?? { head: [], samples: [] };
    families.set(name, there);
    return there;
  };
  family('longhaul_process_up').head.push(
    '# HELP longhaul_process_up Whether the process answered when its metrics were asked for.',
    '# TYPE longhaul_process_up gauge',
  );
  for (const { process, text } of texts) {
    const label = `process="${process.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
    family('longhaul_process_up').samples.push(`longhaul_process_up{${label}} ${text === undefined ? 0 : 1}`);
    for (const line of (text ?? '').split('\n')) {
      const [hash, word, name] = line.split(' ', 3);
      if (hash === '#' && (word === 'HELP' || word === 'TYPE') && name) {
        const { head } = family(name);
        if (!head.some((known) => known.startsWith(`# ${word} `))) head.push(line);
        continue;
      }
      const [, sample, labels, value] = SAMPLE.exec(line) ?? [];
      if (sample === undefined || value === undefined) continue;
      const base = families.has(sample) ? sample : sample.replace(SUFFIX, '');
      const joined = labels ? `${label},${labels}` : label;
      family(families.has(base) ? base : sample).samples.push(`${sample}{${joined}}${value}`);
    }
  }
  return (
    [...families.values()].map(({ head, samples }) => [...head, ...samples].join('\n')).join('\n') + '\n'
  );
}
