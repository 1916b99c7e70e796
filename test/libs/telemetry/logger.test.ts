import { describe, expect, it } from 'vitest';
import { createLogger, scrub } from '../../../libs/telemetry/logger.js';

function setup(): { logger: ReturnType<typeof createLogger>; lines: string[] } {
  const lines: string[] = [];
  return { logger: createLogger('test', 'info', { write: (line) => void lines.push(line) }), lines };
}

describe('the logger', () => {
  it('writes one JSON object a line, with the level as a word', () => {
    const { logger, lines } = setup();
    logger.info({ jobId: 'j' }, 'hello');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      name: 'test',
      level: 'info',
      jobId: 'j',
      msg: 'hello',
    });
  });

  it('writes no secret, wherever it lies and whatever throws it', () => {
    const { logger, lines } = setup();
    const cause = new Error('connect postgres://me:s3cret@db/x failed with lh_live_0123456789abcdef_s3cret');
    logger.error({
      password: 's3cret',
      req: { headers: { authorization: 'Bearer s3cret' } },
      a: { apiKey: 's3cret' },
    });
    logger.error({ err: new Error('outer', { cause }) }, 'failed');
    logger.error({ error: Object.assign(new Error('failed'), { details: ['s3cret'] }) }, 'as the SDK logs');
    expect(lines.join('')).not.toContain('s3cret');
    expect(lines[1]).toContain('postgres://[redacted]@db/x');
  });

  it('leaves a text without secrets as it is', () => {
    expect(scrub('GET http://localhost:3000/jobs?x=a@b')).toBe('GET http://localhost:3000/jobs?x=a@b');
  });
});
