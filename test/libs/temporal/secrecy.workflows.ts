/** A workflow that says its secret in every way a workflow can say something. */
import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertMemo,
} from '@temporalio/workflow';

interface Activities {
  speak(secret: string): Promise<string>;
  fail(secret: string): Promise<void>;
}

export const tell = defineSignal<[string]>('tell');
export const ask = defineQuery<string, [string]>('ask');
export const agree = defineUpdate<string, [string]>('agree');

export async function secretive(secret: string): Promise<string> {
  const { speak, fail } = proxyActivities<Activities>({
    startToCloseTimeout: '10s',
    retry: { maximumAttempts: 2, initialInterval: '10ms' },
    summary: `activity summary ${secret}`,
  });
  const local = proxyLocalActivities<Activities>({ startToCloseTimeout: '10s' });
  let told = '';
  setHandler(tell, (text) => void (told = text));
  setHandler(ask, (text) => `${text} ${secret}`);
  setHandler(agree, (text) => `${text} ${secret}`);
  setCurrentDetails(`current details ${secret}`);
  upsertMemo({ note: `memo ${secret}` });
  const spoken = await speak(secret);
  const spokenHere = await local.speak(secret);
  await sleep('10ms', { summary: `timer summary ${secret}` });
  let failure = '';
  try {
    await fail(secret);
  } catch (error) {
    failure = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
  }
  await condition(() => told !== '');
  if (told.includes('fail'))
    throw ApplicationFailure.nonRetryable(`workflow failed ${secret}`, 'Told', { secret });
  return [spoken, spokenHere, failure, told].join('|');
}
