/** Whose turn it is: the one of the job's input, or those of its list, opened a chunk at a time. */
import { parseAddress } from '../../libs/emails/address.js';
import type { Recipient } from '../../libs/emails/recipient-rows.js';
import { CHUNK_RECIPIENTS, readChunk } from '../../libs/emails/recipient-lists.store.js';
import type { JobRef } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import type { EmailRequest } from '../../workflows/email-message.js';
import type { EmailResources } from '../resources.js';

/** The recipient of an ordinal; undefined once its list is deleted or over its time. */
export type Recipients = (ordinal: number) => Promise<Recipient | undefined>;

export function openRecipients(
  { database, emails }: EmailResources,
  job: JobRef,
  { to, list }: EmailRequest,
): Recipients {
  if (to) {
    const parsed = parseAddress(to.address);
    const recipient = parsed.ok
      ? { address: parsed.address, ...(to.name === undefined ? {} : { name: to.name }), values: {} }
      : undefined;
    return async () => recipient;
  }
  if (list === undefined) throw new TypeError('the request names no recipient');
  let chunk = -1;
  let loading: Promise<readonly Recipient[] | undefined> = Promise.resolve(undefined);
  return async (ordinal) => {
    const wanted = Math.floor(ordinal / CHUNK_RECIPIENTS);
    if (wanted !== chunk) {
      chunk = wanted;
      loading = inTenant(database, job.tenantId, (tx) =>
        readChunk(tx, emails.cipher, { tenantId: job.tenantId, listId: list, chunk: wanted }),
      );
    }
    return (await loading)?.[ordinal % CHUNK_RECIPIENTS];
  };
}
