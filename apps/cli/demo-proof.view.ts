/** What the demo claims, each claim beside what it was checked against. Pure. */
import { formatBytes, formatCount, formatDuration } from './figures.view.js';
import type { Paint } from './job.view.js';

export interface DemoFacts {
  readonly status: string;
  readonly file: string;
  readonly rows: { readonly asked: number; readonly announced: number | undefined; readonly counted: number };
  readonly bytes: { readonly announced: number; readonly onDisk: number };
  readonly sha256: { readonly announced: string; readonly computed: string };
  readonly acceptedMs: number;
  /** From the POST to the terminal state. */
  readonly exportMs: number;
  readonly downloadMs: number;
  readonly totalMs: number;
  /** States of the job that were seen live. */
  readonly states: number;
}

export interface Claim {
  readonly label: string;
  readonly value: string;
  /** Undefined for what is told but cannot be wrong. */
  readonly holds?: boolean;
}

/** That what was computed from the bytes is the SHA-256 expected: `whose` says of which, e.g. `announced`. */
export function claimSha256(computed: string | undefined, expected: string, whose: string): Claim {
  const holds = computed === expected;
  return {
    label: 'SHA-256',
    value: holds ? `${computed}, as ${whose}` : `${computed ?? 'of nothing'}, not as ${whose}: ${expected}`,
    holds,
  };
}

export function proveDemo(facts: DemoFacts): { readonly claims: readonly Claim[]; readonly holds: boolean } {
  const { rows, bytes, sha256 } = facts;
  const perSecond = (count: number, ms: number): string => formatCount(ms > 0 ? (count / ms) * 1000 : 0);
  const claims: Claim[] = [
    { label: 'status', value: facts.status, holds: facts.status === 'SUCCEEDED' },
    {
      label: 'file',
      value: `${facts.file} · ${formatBytes(bytes.onDisk)} (${formatCount(bytes.onDisk)} bytes; announced ${formatCount(bytes.announced)})`,
      holds: bytes.onDisk === bytes.announced,
    },
    {
      label: 'rows',
      value: `${formatCount(rows.counted)} counted in the download; announced ${rows.announced === undefined ? 'none' : formatCount(rows.announced)}, asked for ${formatCount(rows.asked)}`,
      holds: rows.counted === rows.asked && rows.announced === rows.asked,
    },
    { label: 'SHA-256 as sent', value: sha256.announced, holds: /^[0-9a-f]{64}$/.test(sha256.announced) },
    { label: 'as computed', value: sha256.computed, holds: sha256.computed === sha256.announced },
    { label: '202 after', value: formatDuration(facts.acceptedMs) },
    {
      label: 'export',
      value: `${formatDuration(facts.exportMs)} from the POST to the end · ${perSecond(rows.counted, facts.exportMs)} rows/s · ${formatCount(facts.states)} states seen live`,
    },
    {
      label: 'in all',
      value: `${formatDuration(facts.totalMs)}, the download (${formatDuration(facts.downloadMs)}) and its check included`,
    },
  ];
  return { claims, holds: claims.every((claim) => claim.holds !== false) };
}

export function renderClaims(claims: readonly Claim[], paint: Paint): string[] {
  const width = Math.max(...claims.map(({ label }) => label.length));
  return claims.map(({ label, value, holds }) => {
    const mark = holds === undefined ? ' ' : holds ? paint('green', '✓') : paint('red', '✗');
    return `  ${mark} ${label.padEnd(width)}  ${value}`;
  });
}
