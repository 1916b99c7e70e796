/** `longhaul schedules`: jobs that are asked for again and again. */
import { InvalidArgumentError, type Command } from 'commander';
import type { Schedule, ScheduleOverlap } from '../../../libs/client/schedule.types.js';
import { connect, type LocationOptions } from '../api-location.js';
import { action } from '../command.error.js';
import { renderSchedules } from '../schedules.view.js';
import { openTerminal } from '../terminal.js';
import { parseLimit } from './jobs.command.js';
import { withLocation } from './location.options.js';
import { parseInput, readInput } from './submit.command.js';

interface Flags extends LocationOptions {
  readonly json?: true;
}

interface AddFlags extends Flags {
  readonly cron: string;
  readonly input: string;
  readonly timeZone?: string;
  readonly overlap?: ScheduleOverlap;
  readonly catchUp?: number;
  readonly note?: string;
  readonly callback?: string;
  readonly paused?: true;
}

const OVERLAPS = [
  'skip',
  'bufferOne',
  'bufferAll',
  'allowAll',
  'cancelOther',
] as const satisfies readonly ScheduleOverlap[];

export function register(program: Command): void {
  const schedules = program.command('schedules').description('jobs that are asked for again and again');
  const command = (usage: string, description: string): Command =>
    withLocation(schedules.command(usage)).description(description).option('--json', 'print JSON');

  command('add <kind>', 'have jobs of a kind made by a plan')
    .requiredOption('--cron <line>', 'minute, hour, day, month, weekday: "30 6 * * MON-FRI"')
    .requiredOption(
      '--input <json>',
      'each job’s input: JSON, @FILE, or -; {{date}} and the like are filled in',
    )
    .option('--time-zone <zone>', 'of the cron line; default: UTC')
    .option('--overlap <policy>', `one of ${OVERLAPS.join(', ')}; default: skip`, parseOverlap)
    .option('--catch-up <seconds>', 'make up for runs missed no longer ago', parseLimit)
    .option('--note <text>', 'for people')
    .option('--callback <url>', 'where to tell of each run’s end, signed')
    .option('--paused', 'make it, and let it not run yet')
    .action(action(add));
  command('list', 'list schedules, newest first').action(action(list));
  command('show <id>', 'show a schedule and its next runs').action(action(show));
  command('pause <id>', 'let it not run until resumed').action(action(pausing(true)));
  command('resume <id>', 'let it run again').action(action(pausing(false)));
  command('trigger <id>', 'run it now, beside its plan').action(action(trigger));
  command('remove <id>', 'delete it; its jobs go on').action(action(remove));
}

function parseOverlap(value: string): ScheduleOverlap {
  const overlap = OVERLAPS.find((known) => known === value);
  if (overlap) return overlap;
  throw new InvalidArgumentError(`Expected one of ${OVERLAPS.join(', ')}.`);
}

async function add(kind: string, flags: AddFlags): Promise<void> {
  const input = parseInput(await readInput(flags.input));
  const client = await connect(flags);
  const { cron, timeZone, overlap, catchUp: catchUpWindowSeconds, note, callback, paused } = flags;
  const made = await client.schedules.create({
    ...{ kind, input, cron, timeZone, overlap, catchUpWindowSeconds, note, paused },
    callback: callback === undefined ? undefined : { url: callback },
  });
  if (flags.json) printJson(made);
  else openTerminal().print(`schedule ${made.id}; see it: ./longhaul schedules show ${made.id}`);
}

async function list(flags: Flags): Promise<void> {
  const client = await connect(flags);
  const found: Schedule[] = [];
  for await (const schedule of client.schedules.list()) found.push(schedule);
  if (flags.json) return found.forEach(printJson);
  const terminal = openTerminal();
  if (found.length === 0) return terminal.print('No schedules.');
  renderSchedules(found, terminal.paint).forEach((line) => terminal.print(line));
}

async function show(id: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  const schedule = await client.schedules.get(id);
  if (flags.json) return printJson(schedule);
  const terminal = openTerminal();
  renderSchedules([schedule], terminal.paint).forEach((line) => terminal.print(line));
}

function pausing(paused: boolean) {
  return async (id: string, flags: Flags): Promise<void> => {
    const client = await connect(flags);
    const schedule = await client.schedules.change(id, { paused });
    if (flags.json) printJson(schedule);
    else openTerminal().print(paused ? 'paused' : 'resumed');
  };
}

async function trigger(id: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  const job = await client.schedules.trigger(id);
  if (flags.json) printJson(job);
  else openTerminal().print(`job ${job.id}; follow it: ./longhaul watch ${job.id}`);
}

async function remove(id: string, flags: Flags): Promise<void> {
  const client = await connect(flags);
  await client.schedules.remove(id);
  if (!flags.json) openTerminal().print('deleted');
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
