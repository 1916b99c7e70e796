/** Endpoints and deliveries as tables of text. Pure. */
import type {
  WebhookDelivery,
  WebhookDeliveryStatus,
  WebhookEndpoint,
} from '../../libs/client/webhook.types.js';
import { formatAge } from './figures.view.js';
import type { Paint } from './job.view.js';
import { renderTable } from './jobs-table.view.js';
import { toPlain, type Style } from './terminal.js';

const STATUS_STYLE: Readonly<Record<WebhookDeliveryStatus, Style>> = {
  open: 'cyan',
  delivered: 'green',
  dead: 'red',
  withdrawn: 'yellow',
};

export function renderEndpoints(endpoints: readonly WebhookEndpoint[], paint: Paint): string[] {
  const rows = endpoints.map((endpoint) => [
    endpoint.id,
    standingOf(endpoint, paint),
    toPlain(endpoint.eventTypes.join(' ')),
    toPlain(endpoint.url),
  ]);
  return renderTable([headings(['ID', 'STATUS', 'TYPES', 'URL'], paint), ...rows]);
}

function standingOf(
  { status, disabledReason, pausedUntil, failingSince }: WebhookEndpoint,
  paint: Paint,
): string {
  if (status === 'disabled') return paint('red', `disabled: ${disabledReason ?? ''}`);
  if (pausedUntil !== null) return paint('yellow', 'paused');
  return failingSince === null ? paint('green', 'enabled') : paint('yellow', 'failing');
}

export function renderDeliveries(
  deliveries: readonly WebhookDelivery[],
  paint: Paint,
  now = Date.now(),
): string[] {
  const rows = deliveries.map(({ jobId, endpointId, status, attempts, createdAt, reason, log }) => {
    const last = log.at(-1);
    const answer = last?.status ?? last?.code ?? '-';
    return [
      jobId,
      endpointId,
      paint(STATUS_STYLE[status], status),
      String(attempts),
      formatAge(now - Date.parse(createdAt)),
      toPlain([answer, reason ?? '', last?.detail ?? ''].filter((part) => part !== '').join(' ')),
    ];
  });
  return renderTable([
    headings(['JOB', 'ENDPOINT', 'STATUS', 'ATTEMPTS', 'AGE', 'LAST ANSWER'], paint),
    ...rows,
  ]);
}

function headings(names: readonly string[], paint: Paint): string[] {
  return names.map((name) => paint('bold', name));
}
