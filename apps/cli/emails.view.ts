/** Messages and lists of recipients as tables of text. Pure. */
import type { EmailMessage, EmailMessageStatus, RecipientList } from '../../libs/client/email.types.js';
import type { Paint } from './job.view.js';
import { renderTable } from './jobs-table.view.js';
import { toPlain, type Style } from './terminal.js';

const STATUS_STYLE: Readonly<Record<EmailMessageStatus, Style>> = {
  open: 'cyan',
  sending: 'cyan',
  sent: 'green',
  refused: 'red',
  suppressed: 'yellow',
  dead: 'red',
  withdrawn: 'yellow',
};

export function renderMessages(messages: readonly EmailMessage[], paint: Paint): string[] {
  const rows = messages.map(({ place, to, status, attempts, reason, reply }) => [
    String(place),
    toPlain(to ?? ''),
    paint(STATUS_STYLE[status], status),
    String(attempts),
    toPlain([reason, reply].filter((text) => text !== null).join(': ')),
  ]);
  return renderTable([headings(['PLACE', 'TO', 'STATUS', 'ATTEMPTS', 'ANSWER'], paint), ...rows]);
}

export function renderLists(lists: readonly RecipientList[], paint: Paint): string[] {
  const rows = lists.map(({ id, recipients, expiresAt, name }) => [
    id,
    String(recipients),
    expiresAt.slice(0, 10),
    toPlain(name),
  ]);
  return renderTable([headings(['ID', 'RECIPIENTS', 'UNTIL', 'NAME'], paint), ...rows]);
}

function headings(names: readonly string[], paint: Paint): string[] {
  return names.map((name) => paint('dim', name));
}
