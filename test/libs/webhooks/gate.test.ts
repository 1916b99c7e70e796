import { expect, test } from 'vitest';
import { createGate } from '../../../libs/webhooks/gate.js';

const wait = { signal: new AbortController().signal, patienceMs: 60_000 };

test('a gate lets in as many as it may, and the others in their order', async () => {
  const gate = createGate();
  const order: string[] = [];
  const enter = (who: string) => gate.enter('host', 1, wait).then(() => void order.push(who));
  const [a, b, c] = [enter('a'), enter('b'), enter('c')];
  await a;
  expect(gate.tryEnter('host', 1)).toBe(false);
  expect(gate.tryEnter('other', 1)).toBe(true);
  expect(order).toEqual(['a']);
  gate.leave('host');
  await b;
  expect(order).toEqual(['a', 'b']);
  gate.leave('host');
  await c;
  expect(order).toEqual(['a', 'b', 'c']);
  gate.leave('host');
  expect(gate.tryEnter('host', 1)).toBe(true);
});

test('whoever is told to end, or has waited long enough, waits no longer and takes nobody’s place', async () => {
  const gate = createGate();
  expect(gate.tryEnter('host', 1)).toBe(true);
  const ending = new AbortController();
  const ended = gate.enter('host', 1, { ...wait, signal: ending.signal });
  const impatient = gate.enter('host', 1, { ...wait, patienceMs: 1 });
  const patient = gate.enter('host', 1, wait);
  ending.abort();
  expect([await ended, await impatient]).toEqual([false, false]);
  gate.leave('host');
  expect(await patient).toBe(true);
  expect(await gate.enter('host', 2, { ...wait, signal: ending.signal })).toBe(false);
});
