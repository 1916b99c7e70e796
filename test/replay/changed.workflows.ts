/** Copies of recorded kinds, each changed as a later release might change it. */
import { defineJob, pivot, retriable, type Saga } from '../../libs/saga/define.js';
import { bindWorkflow } from '../../libs/saga/temporal/workflow.js';
import { order, snapshot } from '../conformance/kinds.js';
import { auditedOrder } from './audited-order.job.js';
import { patchedJob, type PatchedSaga } from './patched.job.js';

const { steps } = auditedOrder;
type OrderSaga = Saga<typeof steps>;
type Run = (saga: OrderSaga) => ReturnType<typeof order.run>;

/** The course of `order`, with what a change puts in, takes out or turns round. */
const course =
  (change: {
    readonly first?: (saga: OrderSaga) => Promise<unknown>;
    readonly last?: (saga: OrderSaga) => Promise<unknown>;
    readonly reserves?: 'first' | 'never';
    readonly concurrency?: number;
  }): Run =>
  async (saga) => {
    const { steps, forEach } = saga;
    await change.first?.(saga);
    if (change.reserves === 'first') await steps.reserve();
    const { count } = await steps.check();
    if (change.reserves === undefined) await steps.reserve();
    const concurrency = change.concurrency ?? 3;
    const packed = await forEach('pack', count, (box) => ({ box }), { concurrency });
    const charge = await steps.charge();
    await steps.notify();
    await change.last?.(saga);
    return { charge: charge.id, packed: packed.length };
  };

/** The activities of a copy are called what they were: only its workflow has another name. */
const changed = (run: Run) => bindWorkflow(defineJob({ ...order, steps, run }));

const auditIfPatched = async (saga: OrderSaga) => saga.patched('audit') && saga.steps.audit();
/** Asks before anything is done, and again when all is done. */
const askTwice = { first: async (saga: OrderSaga) => saga.patched('audit'), last: auditIfPatched };

export const orderUnchanged = changed(course({}));
export const orderReordered = changed(course({ reserves: 'first' }));
export const orderStepRemoved = changed(course({ reserves: 'never' }));
export const orderStepAdded = bindWorkflow(auditedOrder);
export const orderStepAddedLast = changed(course({ last: ({ steps }) => steps.audit() }));
export const orderNarrowed = changed(course({ concurrency: 1 }));
export const orderPatched = changed(course({ first: auditIfPatched }));
export const orderPatchedLast = changed(course(askTwice));

const { check, reserve, pack, charge, notify } = order.steps;

export const orderStepRenamed = bindWorkflow(
  defineJob({
    ...order,
    steps: { look: check, reserve, pack, charge, notify },
    run: ({ steps: { look, ...rest }, ...saga }) => order.run({ ...saga, steps: { ...rest, check: look } }),
  }),
);
export const orderUndoRenamed = bindWorkflow(
  defineJob({ ...order, steps: { ...order.steps, pack: { ...pack, undo: 'unwrap' as 'unpack' } } }),
);

const policies = {
  timeout: '20s',
  heartbeat: '2s',
  retry: { attempts: 2, first: '1s', most: '2s' },
} as const;
/** Policies, pools, fences, summaries, the deadline: nothing that a history holds a saga to. */
export const orderRetuned = bindWorkflow(
  defineJob({
    ...order,
    deadline: '2h',
    steps: {
      check: { ...check, pool: 'cpu', summary: 'Look' },
      reserve,
      pack: { ...pack, undoFence: 'key' },
      charge: pivot({ ...policies, pool: 'io', effect: 'keyed', output: charge.output, probe: 'findCharge' }),
      notify: retriable({ ...policies, pool: 'io', effect: 'keyed', output: notify.output }),
    },
  }),
);

export const orderImpatient = bindWorkflow(
  defineJob({
    ...order,
    steps: { ...order.steps, reserve: { ...reserve, retry: { ...reserve.retry, attempts: 1 } } },
  }),
);
export const snapshotImpatient = bindWorkflow(
  defineJob({
    ...snapshot,
    steps: {
      ...snapshot.steps,
      keep: { ...snapshot.steps.keep, retry: { ...snapshot.steps.keep.retry, attempts: 1 } },
    },
  }),
);

const patchedCourse = (run: (saga: PatchedSaga) => Promise<null>) => bindWorkflow({ ...patchedJob, run });

/** The old course is gone, and `patched` is still asked. */
export const patchedStillAsked = patchedCourse(async ({ steps, patched }) => {
  patched('weigh');
  await steps.look();
  await steps.weigh();
  return steps.send();
});
/** Nobody asks any more. */
export const patchedForgotten = patchedCourse(async ({ steps }) => {
  await steps.look();
  await steps.weigh();
  return steps.send();
});
