/** The shapes of `test.errand` alone, which has steps of all sorts. */
import { corrected, goBack, resolve, retry, skip } from './answers.js';
import { briefErrand } from './brief-errand.job.js';
import { atFirst, denied, lostWorker, onceEver, unheard } from './scripts.js';
import type { Copy, Shape } from './shape.js';

const YES = resolve({ yes: true });

const BRIEF: Copy = { definition: briefErrand, workflow: 'testErrandBrief' };

/** Every decision there is, on every kind of effect; and workers lost. */
export const errandShapes: readonly Shape[] = [
  {
    name: 'decided-by-default',
    what: 'Nobody decides approve in its time, which is a second here: the declared default counts.',
    ends: 'SUCCEEDED',
    copy: BRIEF,
  },
  {
    name: 'retried-by-person',
    what: 'quote is denied once, and pay, which is the pivot; a person has each tried again.',
    ends: 'SUCCEEDED',
    scripts: () => ({ before: { quote: onceEver(denied), pay: onceEver(denied) } }),
    whenParked: [retry, YES, retry],
  },
  {
    name: 'corrected',
    what: 'quote and book are denied until a person corrects their arguments; the first booking is undone.',
    ends: 'SUCCEEDED',
    scripts: () => ({ before: { quote: atFirst(denied) }, after: { book: atFirst(denied) } }),
    whenParked: [corrected({ of: 'the mended errand' }), corrected({ room: 2 }), YES],
  },
  {
    name: 'skipped',
    what: 'quote, book and, past the commit point, file are denied; a person skips each, the booking undone.',
    ends: 'SUCCEEDED',
    scripts: () => ({ before: { quote: denied, file: denied }, after: { book: denied } }),
    whenParked: [skip, skip, YES, skip],
  },
  {
    name: 'resolved',
    what: 'book and, past the commit point, file are denied, and the answer of sign is lost; a person did each.',
    ends: 'SUCCEEDED',
    scripts: () => ({ before: { book: denied, file: denied }, after: { sign: unheard } }),
    whenParked: [resolve({ id: 'by hand' }), resolve(), YES, resolve({ id: 'filed by hand' })],
  },
  {
    name: 'resolved-then-undone',
    what: 'book is denied, and a person did it; pay is denied, and a person decides to go back: all is undone.',
    ends: 'FAILED',
    scripts: () => ({ before: { book: denied, pay: denied } }),
    whenParked: [resolve({ id: 'by hand' }), YES, goBack],
  },
  {
    name: 'blind-done-anew',
    what: 'The answer of sign is lost; a person says that it is not done, and has it done anew.',
    ends: 'SUCCEEDED',
    scripts: () => ({ before: { sign: atFirst(unheard) } }),
    whenParked: [retry, YES],
  },
  {
    name: 'blind-undone',
    what: 'The answer of sign is lost; a person decides to go back, and then that there is something to undo.',
    ends: 'FAILED',
    scripts: () => ({ after: { sign: unheard } }),
    whenParked: [goBack, retry],
  },
  {
    name: 'worker-lost',
    what: 'The worker of tell is lost at each of two attempts: parked in doubt, and tried again by a person.',
    ends: 'SUCCEEDED',
    copy: BRIEF,
    scripts: () => ({ before: { tell: (call) => (call.attempt > 2 ? undefined : lostWorker(call)) } }),
    whenParked: [YES, retry],
  },
  {
    name: 'told-too-early',
    what: 'The worker of sign is lost. What a person says of it is refused while its lease is not over; the undo waits, and is given up.',
    ends: 'FAILED',
    scripts: () => ({ before: { sign: lostWorker } }),
    whenParked: [resolve(), goBack, skip],
  },
  {
    name: 'skipped-once-quiet',
    what: 'The worker of file is lost. A person skips it, which waits until its lease is over.',
    ends: 'SUCCEEDED',
    copy: BRIEF,
    scripts: () => ({ before: { file: lostWorker } }),
    whenParked: [YES, skip],
  },
];
