/** `{{…}}` in a schedule's input: what differs from run to run. Pure. */

/** Spaces are trimmed afterwards: a pattern that skips them looks at each run of them again and again. */
const PLACEHOLDER = /\{\{([^{}]*)\}\}/g;
const DEPTH_MAX = 64;

/** For when a run is, and where that is. */
export interface RunTime {
  readonly scheduledAt: Date;
  /** IANA. */
  readonly timeZone: string;
}

const VALUES = {
  /** RFC 3339, UTC. */
  scheduledAt: ({ scheduledAt }: RunTime) => scheduledAt.toISOString(),
  /** `2026-11-24`, of the schedule's zone. */
  date: (time: RunTime) => local(time, 'year', 'month', 'day').join('-'),
  /** `2026-11`, of the schedule's zone. */
  month: (time: RunTime) => local(time, 'year', 'month').join('-'),
  /** Seconds since 1970: a number where it is the whole text. */
  unixSeconds: ({ scheduledAt }: RunTime) => Math.floor(scheduledAt.getTime() / 1_000),
} satisfies Record<string, (time: RunTime) => string | number>;

type Name = keyof typeof VALUES;

export const PLACEHOLDERS: readonly string[] = Object.keys(VALUES).map((name) => `{{${name}}}`);

/** The value with every placeholder in its texts replaced; names that are none stay as they are. */
export function fillPlaceholders(value: unknown, time: RunTime): unknown {
  return mapTexts(value, (text) => {
    const whole = /^\{\{([^{}]*)\}\}$/.exec(text)?.[1]?.trim();
    if (whole !== undefined && isName(whole)) return VALUES[whole](time);
    return text.replace(PLACEHOLDER, (as, inner: string) => {
      const name = inner.trim();
      return isName(name) ? String(VALUES[name](time)) : as;
    });
  });
}

/** Where a text names a placeholder that is none: JSON pointers and the name. */
export function unknownPlaceholders(value: unknown, pointer = ''): { pointer: string; name: string }[] {
  if (typeof value === 'string') {
    const names = [...value.matchAll(PLACEHOLDER)].map(([, name = '']) => name.trim());
    return names.filter((name) => !isName(name)).map((name) => ({ pointer, name }));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) =>
    unknownPlaceholders(part, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
}

function isName(text: string): text is Name {
  return Object.hasOwn(VALUES, text);
}

function mapTexts(value: unknown, map: (text: string) => unknown, depth = 0): unknown {
  if (typeof value === 'string') return map(value);
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((part) => mapTexts(part, map, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, mapTexts(part, map, depth + 1)]),
  );
}

function local({ scheduledAt, timeZone }: RunTime, ...parts: ('year' | 'month' | 'day')[]): string[] {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  const found = new Map(format.formatToParts(scheduledAt).map(({ type, value }) => [type, value]));
  return parts.map((part) => found.get(part) ?? '');
}
