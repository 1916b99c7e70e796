import { expect, test } from 'vitest';
import { createGate } from '../../../libs/webhooks/gate.js';

test('a gate lets in as many as it may, and the others in their order', async () => {
  const gate = createGate();
  const order: string[] = [];
  const enter = (who: string) => gate.enter('host', 1).then((leave) => (order.push(who), leave));
  const [leaveA, b, c] = [await enter('a'), enter('b'), enter('c')];
  await gate.enter('other', 1);
  expect(order).toEqual(['a']);
  leaveA();
  leaveA();
  const leaveB = await b;
  expect(order).toEqual(['a', 'b']);
  leaveB();
  (await c)();
  expect(order).toEqual(['a', 'b', 'c']);
});
