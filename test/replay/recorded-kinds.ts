/**
 * The kinds whose histories are kept, with their shapes: every shipped kind, and those of the engine's own tests, so
 * that every construct of the interpreter is held to what it did. Then: npm run histories:record
 */
import type { AnyJobDefinition } from '../../libs/saga/define.js';
import { imageRenditions } from '../../workflows/image-renditions.job.js';
import { documentPdf } from '../../workflows/document-pdf.job.js';
import { reportExport } from '../../workflows/report-export.job.js';
import { payoutBatch } from '../../workflows/payout-batch.job.js';
import { payoutItem } from '../../workflows/payout-item.job.js';
import { reportDelivery } from '../../workflows/report-delivery.job.js';
import { webhookCallback } from '../../workflows/webhook-callback.job.js';
import { emailSend } from '../../workflows/email-send.job.js';
import { webhookFanout } from '../../workflows/webhook-fanout.job.js';
import { webhookResend } from '../../workflows/webhook-resend.job.js';
import { errand, longOrder, order, snapshot } from '../conformance/kinds.js';
import { tripBook } from '../docs/trip-book.job.js';
import * as decided from './decided-shapes.js';
import { errandShapes } from './errand-shapes.js';
import type { Outputs } from './faked-kind.js';
import { patchedJob } from './patched.job.js';
import type { Shape } from './shape.js';
import * as shapes from './shapes.js';

export interface RecordedKind {
  readonly definition: AnyJobDefinition;
  readonly outputsFor: (input: object) => Outputs<AnyJobDefinition>;
  readonly shapes: readonly Shape[];
  /** Under the test key, as it would be in production; else in plain, for people to read. */
  readonly isSealed: boolean;
}

function recorded<D extends AnyJobDefinition>(
  definition: D,
  outputsFor: (input: D['example']) => Outputs<D>,
  options: Pick<RecordedKind, 'shapes' | 'isSealed'>,
): RecordedKind {
  return { definition, outputsFor: outputsFor as RecordedKind['outputsFor'], ...options };
}

const SHA = 'a'.repeat(64);
const PARTS = 5;

const theReportExport = recorded(
  reportExport,
  () => ({
    keep: (_, { generation }) => ({ snapshot: `snapshot-${generation}` }),
    plan: (_, { generation }) => ({ plan: generation, parts: PARTS }),
    count: () => ({ rows: 50 }),
    render: () => ({ rows: 10, bytes: 100 }),
    publish: ({ plan }) => ({ location: `export.${plan}`, bytes: 500, sha256: SHA }),
    announce: () => ({
      filename: 'flights-1.csv',
      contentType: 'text/csv',
      expiresAt: '2026-01-02T00:00:00.000Z',
    }),
  }),
  {
    isSealed: true,
    shapes: [
      shapes.straight,
      shapes.retried('plan'),
      shapes.deferred('keep'),
      shapes.compensated('render'),
      shapes.cancelled('render'),
      shapes.cancelTooLate('publish'),
      shapes.deadline('plan'),
      shapes.settledDone('publish'),
      shapes.settledNotDone('publish'),
      shapes.parkedInDoubt('publish', 'findPublished'),
      shapes.parked('announce'),
      shapes.parkedUndo('publish', 'discardParts'),
      shapes.parkedThenCancelled('plan'),
      shapes.underWay('render'),
      shapes.startedOver('keep', 'render'),
      shapes.startedOverByStep('render'),
    ],
  },
);

const theDocumentPdf = recorded(
  documentPdf,
  () => ({
    render: (_, { generation }) => ({
      ...{ upload: generation, rows: 24, pages: 2, bytes: 500 },
      ...{ sha256: SHA, rowsSha256: SHA },
    }),
    publish: ({ upload }) => ({ location: `document.${upload}`, bytes: 500, sha256: SHA }),
    announce: () => ({
      filename: 'invoice-INV-2026-0042-v1.pdf',
      contentType: 'application/pdf',
      expiresAt: '2026-01-02T00:00:00.000Z',
    }),
  }),
  {
    isSealed: true,
    shapes: [
      shapes.straight,
      shapes.retried('render'),
      shapes.deferred('render'),
      shapes.compensated('render'),
      shapes.cancelled('render'),
      shapes.cancelTooLate('publish'),
      shapes.deadline('render'),
      shapes.settledDone('publish'),
      shapes.settledNotDone('publish'),
      shapes.parkedInDoubt('publish', 'findPublished'),
      shapes.parked('announce'),
      shapes.parkedUndo('publish', 'discardFile'),
      shapes.parkedThenCancelled('render'),
      shapes.underWay('render'),
    ],
  },
);

const thePayoutItem = recorded(payoutItem, () => ({ pay: () => ({ transferId: 'tr_1' }) }), {
  isSealed: true,
  shapes: [
    shapes.straight,
    shapes.compensated('pay'),
    shapes.cancelled('reserve'),
    shapes.calledOff('pay'),
    shapes.settledDone('pay'),
    shapes.settledNotDone('pay'),
    shapes.parkedInDoubt('pay', 'closePayment'),
    decided.pivotResolved('pay', 'closePayment', { transferId: 'tr_by_hand' }),
    decided.pivotDisowned('pay', 'closePayment'),
    shapes.parked('settle'),
    shapes.underWay('pay'),
  ],
});

/** Above the limit, so that it wants an approval. */
const LARGE = {
  ...payoutBatch.example,
  items: [{ recipient: 'acct_ada', amountMinor: 9_000_000, reference: 'The house' }],
};
const large = (shape: Shape): Shape => ({ ...shape, input: LARGE });

const thePayoutBatch = recorded(
  payoutBatch,
  ({ items }) => ({
    reserve: () => ({
      items: items.length,
      amountMinor: 900,
      currency: 'EUR',
      needsApproval: items.length < 2,
    }),
    screen: () => ({ allowed: true }),
    pay: () => ({ total: 2, succeeded: 2, failed: 0, cancelled: 0 }),
    settle: () => ({ paid: 2, refused: 0, released: 0, paidMinor: 11_150 }),
  }),
  {
    isSealed: true,
    shapes: [
      shapes.straight,
      shapes.compensated('pay'),
      shapes.cancelled('screen'),
      shapes.parked('settle'),
      shapes.underWay('pay'),
      shapes.woken('pay'),
      { ...shapes.straight, name: 'told' },
      { ...shapes.parked('tell'), name: 'told-parked' },
      shapes.cancelledWithChildren('pay'),
      large(decided.decided('approve', { approved: true })),
      large(decided.decidedNo('approve', { approved: false })),
      large(decided.cancelledWaiting('approve')),
      large(decided.waiting('approve')),
    ],
  },
);

/** An event that all endpoints take at once. */
const AT_ONCE = 'evt_at_once';
const delivered = () => ({ delivered: 2, dead: 1 });
const deliveryShapes = [
  shapes.straight,
  shapes.deferred('deliver'),
  shapes.parked('deliver'),
  shapes.underWay('deliver'),
];

const theWebhookFanout = recorded(
  webhookFanout,
  ({ event }) => ({
    send: () => (event === AT_ONCE ? { ...delivered(), open: 0 } : { delivered: 0, dead: 0, open: 3 }),
    deliver: delivered,
    // Of jobs that began when it was a step of its own: those of 0.1.0-alpha.
    enroll: () => ({ endpoints: 3 }),
  }),
  {
    isSealed: true,
    shapes: [
      ...deliveryShapes,
      shapes.counted('at-once', 'Nothing is open after the first round.', {
        ...webhookFanout.example,
        event: AT_ONCE,
      }),
      shapes.retried('send'),
      shapes.cancelLatched('send'),
      shapes.calledOff('send'),
      shapes.settledDone('send'),
      shapes.parkedInDoubt('send', 'findSent'),
    ],
  },
);

const theWebhookResend = recorded(
  webhookResend,
  () => ({ collect: () => ({ deliveries: 3 }), deliver: delivered }),
  { isSealed: true, shapes: [...deliveryShapes, shapes.cancelled('collect')] },
);

const theWebhookCallback = recorded(webhookCallback, () => ({ deliver: delivered }), {
  isSealed: true,
  shapes: [...deliveryShapes, shapes.cancelled('enroll')],
});

const theImageRenditions = recorded(
  imageRenditions,
  () => ({
    inspect: () => ({ sources: 4, usable: [0, 1, 3] }),
    render: ({ source }) =>
      source === 1 ? { files: 0, bytes: 0, refused: 'image_unreadable' } : { files: 2, bytes: 200 },
    publish: () => ({ location: 'job.manifest', bytes: 500, sha256: SHA }),
    announce: () => ({
      filename: 'renditions.json',
      contentType: 'application/json',
      expiresAt: '2026-01-02T00:00:00.000Z',
    }),
  }),
  {
    isSealed: true,
    shapes: [
      shapes.straight,
      shapes.compensated('publish'),
      shapes.cancelled('render'),
      shapes.settledDone('publish'),
      shapes.settledNotDone('publish'),
      shapes.parkedInDoubt('publish', 'findManifest'),
      shapes.parked('announce'),
      shapes.parkedUndo('publish', 'discardRenditions'),
      shapes.underWay('render'),
    ],
  },
);

const REPORT_ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const theReportDelivery = recorded(
  reportDelivery,
  () => ({
    make: () => ({
      jobId: REPORT_ID,
      status: 'SUCCEEDED' as const,
      result: {
        ...{ rows: 50, bytes: 500, sha256: SHA, filename: 'flights-1.csv', contentType: 'text/csv' },
        expiresAt: '2026-01-02T00:00:00.000Z',
      },
    }),
    mail: () => ({ total: 1, succeeded: 1, failed: 0, cancelled: 0 }),
    tell: () => ({ jobId: REPORT_ID, status: 'SUCCEEDED' as const, result: delivered() }),
  }),
  {
    isSealed: true,
    shapes: [
      shapes.straight,
      shapes.compensated('tell'),
      shapes.cancelled('make'),
      shapes.underWay('tell'),
      shapes.cancelledWithChildren('make'),
    ],
  },
);

const theEmailSend = recorded(
  emailSend,
  () => ({
    enroll: () => ({ recipients: 3 }),
    deliver: () => ({ sent: 1, suppressed: 1, refused: 1, dead: 0 }),
  }),
  {
    isSealed: true,
    shapes: [
      shapes.straight,
      shapes.deferred('deliver'),
      shapes.compensated('deliver'),
      shapes.cancelled('deliver'),
      shapes.parked('deliver'),
      shapes.underWay('deliver'),
    ],
  },
);

const orderOutputs = ({ count }: typeof order.example): Outputs<typeof order> => ({
  check: () => ({ count }),
  reserve: () => ({ id: 'reserved' }),
  pack: ({ box }) => ({ id: `box ${box}` }),
  charge: () => ({ id: 'charged' }),
});

const theOrder = recorded(order, orderOutputs, {
  isSealed: false,
  shapes: [
    shapes.straight,
    shapes.counted('empty-group', 'The group has no members.', { count: 0 }),
    shapes.counted('wide-group', 'The group has more members than may run at once.', { count: 7 }),
    shapes.retried('pack'),
    shapes.deferred('reserve'),
    shapes.deferredLate('reserve'),
    shapes.undoDeferredLate('charge', 'unreserve'),
    shapes.settleDeferredLate('charge', 'findCharge'),
    shapes.compensated('charge'),
    shapes.cancelled('pack'),
    shapes.cancelledNatively('pack'),
    shapes.cancelTooLate('charge'),
    shapes.cancelLatched('charge'),
    shapes.calledOff('charge'),
    shapes.deadline('charge'),
    shapes.overdue('notify'),
    shapes.settledDone('charge'),
    shapes.settledNotDone('charge'),
    shapes.parkedInDoubt('charge', 'findCharge'),
    decided.pivotResolved('charge', 'findCharge', { id: 'found by hand' }),
    decided.pivotDisowned('charge', 'findCharge'),
    decided.pivotLookedAgain('charge', 'findCharge'),
    decided.undoRetried('charge', 'unreserve'),
    { ...decided.undoGivenUp('charge', 'unpack'), input: { count: 1 } },
    decided.membersParked('pack', { box: 9 }),
    decided.memberGivenUp('pack'),
    shapes.parked('reserve'),
    shapes.parkedUndo('charge', 'unpack'),
    shapes.parkedThenCancelled('reserve'),
    shapes.underWay('charge'),
  ],
});

const theLongOrder = recorded(longOrder, orderOutputs, {
  isSealed: false,
  shapes: [
    shapes.toBeContinued,
    shapes.continued,
    shapes.continuedBack('charge'),
    { ...shapes.parkedInDoubt('charge', 'findCharge'), name: 'continued-parked' },
  ],
});

const theSnapshot = recorded(
  snapshot,
  () => ({
    keep: (_, { generation }) => ({ snapshot: `s${generation}` }),
    part: ({ part }) => ({ id: `part ${part}` }),
  }),
  {
    isSealed: false,
    shapes: [
      shapes.straight,
      shapes.retried('keep'),
      shapes.cancelled('part'),
      shapes.parkedInDoubt('publish'),
      shapes.parked('keep'),
      decided.holderRetried('keep'),
      decided.holderGivenUp('keep'),
      shapes.startedOver('keep', 'part'),
      shapes.startedOverByStep('part'),
      shapes.lostWhileParked('keep', 'part'),
      shapes.givenUp('keep', 'part'),
    ],
  },
);

const YES = { yes: true };

const theErrand = recorded(
  errand,
  () => ({
    quote: ({ of }) => ({ id: of }),
    take: () => ({ id: 'taken' }),
    book: ({ room }) => ({ id: `room ${room}` }),
    pay: () => ({ id: 'paid' }),
    file: () => ({ id: 'filed' }),
  }),
  {
    isSealed: false,
    shapes: [
      decided.decided('approve', YES),
      decided.decidedAgainst('approve'),
      decided.cancelledWaiting('approve'),
      decided.waiting('approve'),
      decided.asleep('take'),
      decided.cancelledAsleep('take'),
      decided.decidedFirst(YES, shapes.settledDone('pay')),
      decided.decidedFirst(YES, shapes.settledNotDone('pay')),
      decided.decidedFirst(YES, shapes.parkedInDoubt('pay', 'findPayment')),
      ...errandShapes,
    ],
  },
);

const theTrip = recorded(
  tripBook,
  () => ({ reserve: () => null, charge: () => 'ch_1', ticket: () => null }),
  {
    isSealed: false,
    shapes: [
      shapes.straight,
      shapes.compensated('charge'),
      shapes.settledDone('charge'),
      shapes.parked('ticket'),
    ],
  },
);

const thePatched = recorded(patchedJob, () => ({ look: () => null, weigh: () => null, send: () => null }), {
  isSealed: false,
  shapes: [shapes.straight, shapes.cancelled('look')],
});

export const recordedKinds: readonly RecordedKind[] = [
  theReportExport,
  theDocumentPdf,
  thePayoutItem,
  thePayoutBatch,
  theWebhookFanout,
  theWebhookResend,
  theWebhookCallback,
  theReportDelivery,
  theEmailSend,
  theImageRenditions,
  theOrder,
  theLongOrder,
  theSnapshot,
  theErrand,
  thePatched,
  theTrip,
];
