import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { mergeMetrics, serveMergedMetrics } from '../../../libs/embedded/merged-metrics.js';

const API = `# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{kind="a"} 3
# HELP seconds Durations.
# TYPE seconds histogram
seconds_bucket{le="1"} 1
seconds_sum 0.5
seconds_count 1
`;
const WORKER = `# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{kind="b"} 4
# HELP up Up.
# TYPE up gauge
up 1
`;

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

describe('mergeMetrics', () => {
  it('labels each sample with its process and keeps a family together under one head', () => {
    const merged = mergeMetrics([
      { process: 'api', text: API },
      { process: 'worker reports-cpu 1', text: WORKER },
    ]);
    expect(merged).toContain(
      [
        '# HELP jobs_total Jobs.',
        '# TYPE jobs_total counter',
        'jobs_total{process="api",kind="a"} 3',
        'jobs_total{process="worker reports-cpu 1",kind="b"} 4',
        '# HELP seconds Durations.',
        '# TYPE seconds histogram',
        'seconds_bucket{process="api",le="1"} 1',
        'seconds_sum{process="api"} 0.5',
        'seconds_count{process="api"} 1',
      ].join('\n'),
    );
    expect(merged).toContain('up{process="worker reports-cpu 1"} 1');
  });

  it('says which process did not answer', () => {
    expect(mergeMetrics([{ process: 'relay', text: undefined }])).toContain(
      'longhaul_process_up{process="relay"} 0',
    );
  });
});

describe('serveMergedMetrics', () => {
  it('reads the processes that are there when it is asked', async () => {
    const source = createServer((_, response) => response.end(WORKER));
    servers.push(source);
    await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(source.address() as AddressInfo).port}/metrics`;
    const gone = { process: 'gone', url: 'http://127.0.0.1:1/metrics' };
    const merged = await serveMergedMetrics('127.0.0.1', 0, () => [{ process: 'relay', url }, gone]);
    try {
      const text = await (await fetch(merged.url)).text();
      expect(text).toContain('up{process="relay"} 1');
      expect(text).toContain('longhaul_process_up{process="gone"} 0');
    } finally {
      await merged.close();
    }
  });
});
