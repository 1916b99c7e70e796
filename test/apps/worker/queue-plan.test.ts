import { describe, expect, it } from 'vitest';
import { checkKinds, planQueues } from '../../../apps/worker/queue-plan.js';
import type { AnyJobDefinition } from '../../../libs/saga/define.js';
import type { Implementation } from '../../../libs/saga/implement.js';
import { createWorld, implementConvoy, implementOrder, implementSnapshot } from '../../conformance/fakes.js';
import { convoy, order, snapshot } from '../../conformance/kinds.js';

const definitions: AnyJobDefinition[] = [order, snapshot];
const world = createWorld();
const implementations = new Map<string, Implementation<AnyJobDefinition>>([
  [order.kind, implementOrder(world) as Implementation<AnyJobDefinition>],
  [snapshot.kind, implementSnapshot(world) as Implementation<AnyJobDefinition>],
]);

describe('a worker process', () => {
  it('hosts what its queues need, pool by pool', () => {
    const plans = planQueues(['workflows', 'orders-keeper', 'orders-cpu'], definitions);
    expect(plans.map((plan) => (plan.hosts === 'activities' ? plan.definitions.length : plan.hosts))).toEqual(
      ['workflows', 1, 2],
    );
  });

  it('refuses a queue nobody uses, and says which there are', () => {
    expect(() => planQueues(['orders-gpu'], definitions)).toThrow(
      'No kind uses the task queue "orders-gpu"; there are workflows, orders-cpu, orders-io, orders-keeper',
    );
  });

  it('refuses to boot on a kind without activities, and says how to mend it', () => {
    const incomplete = new Map([...implementations].slice(0, 1));
    expect(() => checkKinds(definitions, incomplete)).toThrow(
      'Kind "test.snapshot" has no activities; add its line to createActivities in activities/index.ts',
    );
  });

  it('refuses two kinds of one name', () => {
    expect(() => checkKinds([order, order], implementations)).toThrow(
      'Two kinds share the kind "test.order"',
    );
  });

  it('refuses two kinds whose workflow types are the same', () => {
    const twin = { ...snapshot, kind: 'test.twin', workflowType: order.workflowType };
    expect(() => checkKinds([order, twin], implementations)).toThrow('share the workflowType "testOrder"');
  });

  it('refuses activities no definition names', () => {
    expect(() => checkKinds([order], implementations)).toThrow('Activities are given for "test.snapshot"');
  });

  it('refuses a step whose children nobody would run, and says how to mend it', () => {
    const alone = new Map([[convoy.kind, implementConvoy(world) as Implementation<AnyJobDefinition>]]);
    expect(() => checkKinds([convoy], alone)).toThrow(
      'Step "scout" of kind "test.convoy" starts jobs of "test.order", which nobody would run; add that kind to workflows/index.ts',
    );
  });

  it('boots on what is complete', () => {
    expect(() => checkKinds(definitions, implementations)).not.toThrow();
  });
});
