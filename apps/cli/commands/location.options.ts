/** The options of every command that talks to an API. */
import type { Command } from 'commander';

export function withLocation(command: Command): Command {
  return command
    .option('--url <url>', 'the API (default: LONGHAUL_URL, else what runs here)')
    .option('--key <key>', 'the API key (default: LONGHAUL_KEY, else that of what runs here)');
}
