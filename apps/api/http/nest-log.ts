/** Nest's own messages, through our logger. */
import type { LoggerService } from '@nestjs/common';
import type { Logger } from '../../../libs/telemetry/logger.js';

/** Nest tells of every route at boot; that is for debugging. */
export function toNestLogger(log: Logger): LoggerService {
  const at =
    (level: 'debug' | 'warn' | 'error') =>
    (message: unknown, ...more: unknown[]): void => {
      log[level]({ context: more.at(-1) }, message instanceof Error ? message.message : String(message));
    };
  return { log: at('debug'), error: at('error'), warn: at('warn'), debug: at('debug'), verbose: at('debug') };
}
