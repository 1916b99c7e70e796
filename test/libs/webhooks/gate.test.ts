import { expect, test } from 'vitest';
import { createGate } from '../../../libs/webhooks/gate.js';

const never = new AbortController().signal;

test('a gate lets in as many as it may, and the others in their order', async () => {
  const gate = createGate();
  const order: string[] = [];
  const enter = (who: string) => gate.enter('host', 1, never).then((leave) => (order.push(who), leave));
  const [leaveA, b, c] = [await enter('a'), enter('b'), enter('c')];
  await gate.enter('other', 1, never);
  expect(order).toEqual(['a']);
  leaveA();
  leaveA();
  const leaveB = await b;
  expect(order).toEqual(['a', 'b']);
  leaveB();
  (await c)();
  expect(order).toEqual(['a', 'b', 'c']);
});

test('whoever is told to end waits no longer, and takes nobody’s place', async () => {
  const gate = createGate();
  const leave = await gate.enter('host', 1, never);
  const ending = new AbortController();
  const impatient = gate.enter('host', 1, ending.signal);
  const patient = gate.enter('host', 1, never);
  ending.abort();
  (await impatient)();
  leave();
  (await patient)();
  await expect(gate.enter('host', 1, ending.signal)).resolves.toBeTypeOf('function');
});
