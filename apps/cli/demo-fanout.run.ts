/** The demo's event: told to 200 endpoints of which some are slow, some fail at first, and one is gone. */
import type { Client } from '../../libs/client/client.js';
import type { Job } from '../../libs/client/job.types.js';
import type { WebhookDelivery } from '../../libs/client/webhook.types.js';
import { startDemoEndpoints, type Nature, type Received } from './demo-endpoints.server.js';
import { all, seeThrough, type DemoKinds, type DemoPart } from './demo.part.js';
import type { Claim } from './demo-proof.view.js';
import { formatCount, formatDuration } from './figures.view.js';
import { renderBar, type Paint } from './job.view.js';
import { openStatusLine } from './terminal.js';

const ENDPOINTS = 200;
const CALLED_AT_ONCE = 16;
const DRAW_EVERY_MS = 100;

/** One of ten is slow, one of twenty fails at first, one is gone. */
function natureOf(index: number): Nature {
  if (index === 0) return 'gone';
  if (index % 20 === 1) return 'failing';
  return index % 10 === 2 ? 'slow' : 'quick';
}

/** Tells the endpoints of the export; returns whether each of them was told as it should be. */
export const runFanout: DemoPart = async (context) => {
  const { client, terminal, signal, name, about } = context;
  const natures = Map.groupBy(
    Array.from({ length: ENDPOINTS }, (_, index) => natureOf(index)),
    (nature) => nature,
  );
  const count = (nature: Nature): number => natures.get(nature)?.length ?? 0;
  const title = `An event to ${ENDPOINTS} endpoints`;
  terminal.print(
    `\n${terminal.paint('bold', title)}: ${count('slow')} of them are slow, ${count('failing')} fail at first, ${count('gone')} is gone`,
  );
  const line = openStatusLine(terminal);
  const endpoints = await startDemoEndpoints(natureOf);
  const ids: string[] = [];
  try {
    // Of this run alone: what an interrupted one left behind hears nothing of it.
    const type = `flights.exported.${name.replaceAll('-', '_')}`;
    line.update('Registering the endpoints …', 'Registering the endpoints');
    await each(ENDPOINTS, async (index) => {
      const made = await client.webhooks.create(
        { url: endpoints.url(index), eventTypes: [type] },
        { signal },
      );
      endpoints.tellSecret(index, made.secret);
      ids[index] = made.id;
    });

    const startedAt = performance.now();
    const { job } = await client.submit(
      'webhook.fanout',
      { event: name, type, data: { export: about.id } },
      { signal },
    );
    line.update('Delivering …', 'Delivering');
    const drawing = terminal.live
      ? setInterval(
          () => line.update(renderDelivering(endpoints.received(), terminal.paint), 'Delivering'),
          DRAW_EVERY_MS,
        )
      : undefined;
    const ended = await seeThrough(context, job).finally(() => clearInterval(drawing));
    const tookMs = performance.now() - startedAt;
    line.end();
    const deliveries = await all(client.webhooks.deliveriesOf(job.id, { pageSize: ENDPOINTS, signal }));
    const gone = await client.webhooks.get(ids[0] as string, { signal });
    return claimsOf({
      ended,
      deliveries,
      received: endpoints.received(),
      tookMs,
      isDisabled: gone.status === 'disabled',
    });
  } finally {
    line.end();
    await removeAll(client, ids);
    await endpoints.close();
  }
};

function renderDelivering({ taken, failed, gone }: Received, paint: Paint): string {
  const parts = [
    `${formatCount(taken)} of ${ENDPOINTS} delivered`,
    failed > 0 ? paint('yellow', `${failed} failed, and are tried again`) : '',
    gone > 0 ? paint('red', `${gone} gone`) : '',
  ].filter((part) => part !== '');
  return `${paint('green', renderBar((100 * (taken + gone)) / ENDPOINTS))} ${parts.join(' · ')}`;
}

interface FanoutFacts {
  readonly ended: Job;
  readonly deliveries: readonly WebhookDelivery[];
  readonly received: Received;
  readonly tookMs: number;
  readonly isDisabled: boolean;
}

function claimsOf({ ended, deliveries, received, tookMs, isDisabled }: FanoutFacts): Claim[] {
  const delivered = deliveries.filter(({ status }) => status === 'delivered');
  const again = delivered.filter(({ attempts }) => attempts > 1);
  const dead = deliveries.filter(({ status }) => status === 'dead');
  const { taken, repeated, verified, requests } = received;
  const waitedMs = Math.max(
    0,
    ...again.map(({ log }) => Date.parse(log.at(-1)!.at) - Date.parse(log[0]!.at)),
  );
  return [
    {
      label: 'delivered',
      value: `${delivered.length} of ${ENDPOINTS}: ${delivered.length - again.length} at once, ${again.length} at their second attempt ${formatDuration(waitedMs)} later`,
      holds: ended.status === 'SUCCEEDED' && taken === ENDPOINTS - 1 && delivered.length === taken,
    },
    {
      label: 'given up',
      value: `${dead.length}: it answered 410 Gone${isDisabled ? ', and gets nothing any more' : ''}`,
      holds: dead.length === 1 && dead[0]?.reason === 'gone' && isDisabled,
    },
    {
      label: 'each once',
      value: `${repeated} repeated, as the endpoints have counted`,
      holds: repeated === 0,
    },
    {
      label: 'signatures',
      value: `${verified} of ${requests} requests verified with their endpoint’s secret (Standard Webhooks)`,
      holds: verified === requests,
    },
    {
      label: 'in all',
      value: `${formatDuration(tookMs)} from the POST to the end, the pause before the second attempts included`,
    },
  ];
}

/** What is left of them after an interrupt gets events of no other run. */
async function removeAll(client: Client<DemoKinds>, ids: readonly string[]): Promise<void> {
  const made = ids.filter((id) => id !== undefined);
  await each(made.length, (index) => client.webhooks.remove(made[index] as string));
}

async function each(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CALLED_AT_ONCE }, lane));
}
