/** The command line. A command is a file, `commands/<name>.command.ts`, that exports `register(program)`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { packageRoot } from '../../libs/embedded/cache-folder.js';
import { endWithReader } from './terminal.js';

interface CommandModule {
  register(program: Command): void;
}

const COMMANDS = new URL('./commands/', import.meta.url);
const COMMAND_FILE = /^([a-z][a-z-]*)\.command\.(js|ts)$/;

/** Name → file, from the folder itself: adding a command touches nothing else. */
const files = new Map(
  readdirSync(COMMANDS).flatMap((file) => {
    const name = COMMAND_FILE.exec(file)?.[1];
    return name === undefined ? [] : [[name, file] as const];
  }),
);

const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
  version: string;
};
const program = new Command('longhaul')
  .description("Takes slow, failure-prone work off an API's hands: 202 and a URL now, a saga behind it.")
  .version(version)
  .showHelpAfterError('(longhaul --help lists the commands)');

// Only the command that is called is loaded: each process of the stack comes this way, and the others' modules cost time.
const called = files.get(process.argv[2] ?? '');
for (const file of called === undefined ? files.values() : [called]) {
  const command = (await import(new URL(file, COMMANDS).href)) as CommandModule;
  command.register(program);
}
endWithReader(process.stdout, () => process.exit());
await program.parseAsync();
