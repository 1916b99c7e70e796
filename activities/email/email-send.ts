/** The side effects of `email.send`. */
import { findList } from '../../libs/emails/recipient-lists.store.js';
import { Rejected } from '../../libs/saga/failure.js';
import type { Implementation } from '../../libs/saga/implement.js';
import { inTenant } from '../../libs/store/database.js';
import type { emailSend as definition } from '../../workflows/email-send.job.js';
import type { EmailResources } from '../resources.js';
import { deliverAll } from './delivering.js';
import { enroll, stop, withdraw } from './deliveries.store.js';

export function emailSend(resources: EmailResources): Implementation<typeof definition> {
  return {
    steps: {
      async enroll(_, { tx, input, job }) {
        const recipients = input.list === undefined ? 1 : (await findList(tx, input.list))?.recipients;
        if (recipients === undefined) {
          throw new Rejected('recipient_list_not_found', 'The list was deleted, or is over its time.');
        }
        await enroll(tx, job.tenantId, job.id, recipients);
        return { recipients };
      },
      deliver: (_, context) => deliverAll(resources, context),
    },
    undos: {
      withdraw: (_, { tx, job }) => withdraw(tx, job.id),
      async stop(_, { job }) {
        const { sent, doubtful, withdrawn, total } = await inTenant(resources.database, job.tenantId, (tx) =>
          stop(tx, job.id),
        );
        if (sent + doubtful === 0) return withdrawn > 0 ? 'undone' : 'noop';
        const also = doubtful > 0 ? `, and ${doubtful} more may have been` : '';
        return { kept: `${sent} of ${total} messages were sent${also}; the others were not.` };
      },
    },
    probes: {},
  };
}
