/** Two small kinds for the API's tests: one with a natural key and no artifact, one whose key the client gives. */
import { z } from 'zod';
import { compensable, decision, defineJob, pivot, readOnly, retriable } from '../../../libs/saga/define.js';

const Nothing = z.strictObject({});

export const notes = defineJob({
  kind: 'note.write',
  summary: 'Writes a note',
  queue: 'notes',
  input: z.strictObject({
    topic: z.string().min(1).max(100),
    version: z.int().positive().default(1),
    text: z.string().max(2_000).default(''),
    extra: z.json().optional(),
  }),
  result: z.strictObject({ words: z.int() }),
  naturalKey: ({ topic, version }) => [topic, version],
  deadline: '1h',
  example: { topic: 'greeting', text: 'hello' },
  steps: {
    look: readOnly({ pool: 'io', output: Nothing }),
    write: compensable({ pool: 'io', effect: 'keyed', output: Nothing, undo: 'erase' }),
    show: pivot({ pool: 'io', effect: 'keyed', output: Nothing }),
  },
  run: async () => ({ words: 1 }),
});

export const plainNote = defineJob({
  kind: 'note.plain',
  summary: 'Writes a note under a key of the client’s',
  queue: 'notes',
  input: z.strictObject({ text: z.string() }),
  result: z.strictObject({ words: z.int() }),
  deadline: '1h',
  example: { text: 'hello' },
  steps: { look: readOnly({ pool: 'io', output: Nothing }) },
  run: async () => ({ words: 1 }),
});

/** A kind with steps to decide about: a wait for a person, a pivot with arguments, a step without an output. */
export const approvedNote = defineJob({
  kind: 'note.approved',
  summary: 'Sends a note that a person approved',
  queue: 'notes',
  input: z.strictObject({ text: z.string() }),
  result: z.strictObject({ messageId: z.string() }),
  deadline: '1h',
  example: { text: 'hello' },
  steps: {
    draft: compensable({ pool: 'io', effect: 'keyed', output: z.undefined(), undo: 'shred' }),
    approve: decision({
      summary: 'May the note be sent?',
      output: z.strictObject({ approved: z.boolean() }),
      within: '30m',
      otherwise: { approved: false },
    }),
    send: pivot({
      pool: 'io',
      effect: 'keyed',
      args: z.strictObject({ to: z.string().min(1).max(10_000) }),
      output: z.strictObject({ messageId: z.string(), copies: z.int().default(1) }),
    }),
    tidy: retriable({ pool: 'io', effect: 'own', output: z.undefined() }),
  },
  async run({ steps }) {
    await steps.draft();
    const { approved } = await steps.approve();
    const { messageId } = await steps.send({ to: approved ? 'everyone' : 'nobody' });
    await steps.tidy();
    return { messageId };
  },
});
