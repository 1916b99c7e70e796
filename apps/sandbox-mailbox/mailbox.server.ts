/** The mailbox: an SMTP server that keeps what it gets, and an HTTP server that shows it and plans faults. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { createFaultPlan, Fault, type FaultPlan } from './fault.js';
import { createMessages, readMessage, type Messages } from './messages.js';
import { listenToSmtp } from './smtp.listener.js';

const BODY_BYTES_MAX = 64 * 1024;
const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 5_000;

export interface MailboxOptions {
  readonly host?: string;
  /** 0: any free one. */
  readonly smtpPort: number;
  readonly port: number;
  /** Told of what should not have happened; the caller has had a 500. */
  readonly onError: (error: unknown) => void;
}

export interface RunningMailbox {
  /** `smtp://…`, for LONGHAUL_SMTP_URL. */
  readonly smtpUrl: string;
  readonly url: string;
  readonly messages: Messages;
  readonly faults: FaultPlan;
  close(): Promise<void>;
}

/** Listens on both. Throws where a port is taken. */
export async function startMailbox({
  host = '127.0.0.1',
  smtpPort,
  port,
  onError,
}: MailboxOptions): Promise<RunningMailbox> {
  const box = { messages: createMessages(), faults: createFaultPlan() };
  const smtp = await listenToSmtp(box, { host, port: smtpPort });
  const server = createServer((request, response) => {
    answer(box, request, response).catch((error: unknown) => {
      onError(error);
      send(response, 500, { error: 'The mailbox failed.' });
    });
  });
  server.listen(port, host);
  await once(server, 'listening').catch(async (error: unknown) => {
    await smtp.close();
    throw error;
  });
  const at = host.includes(':') ? `[${host}]` : host;
  return {
    ...box,
    smtpUrl: `smtp://${at}:${smtp.port}`,
    url: `http://${at}:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await Promise.all([smtp.close(), new Promise<void>((resolve) => server.close(() => resolve()))]);
    },
  };
}

type Box = Pick<RunningMailbox, 'messages' | 'faults'>;

async function answer(
  { messages, faults }: Box,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://mailbox');
  const [, what = '', id] = pathname.split('/');
  switch (`${request.method} /${what}${id === undefined ? '' : '/:id'}`) {
    case 'GET /healthz':
      return send(response, 200, { status: 'ok' });
    case 'GET /messages': {
      const limit = Math.min(Number(searchParams.get('limit') ?? LIMIT_DEFAULT) || LIMIT_DEFAULT, LIMIT_MAX);
      const found = messages.list({ to: searchParams.get('to') ?? undefined, limit });
      return send(response, 200, {
        count: messages.count(),
        items: await Promise.all(found.map(readMessage)),
      });
    }
    case 'GET /messages/:id': {
      const found = messages.find(Number.parseInt(id ?? '', 10));
      if (!found)
        return send(response, 404, { error: 'There is no such message, or it is not kept any more.' });
      if (!id?.endsWith('.eml')) return send(response, 200, await readMessage(found));
      response.writeHead(200, { 'content-type': 'message/rfc822' }).end(found.raw);
      return;
    }
    case 'DELETE /messages':
      messages.clear();
      return send(response, 204);
    case 'GET /faults':
      return send(response, 200, { items: faults.list() });
    case 'POST /faults': {
      const fault = Fault.safeParse(await readJson(request));
      if (!fault.success) return send(response, 422, { error: z.prettifyError(fault.error) });
      faults.add(fault.data);
      return send(response, 201, fault.data);
    }
    case 'DELETE /faults':
      faults.clear();
      return send(response, 204);
    default:
      return send(response, 404, {
        error: 'There are /messages, /messages/{id}, /messages/{id}.eml and /faults.',
      });
  }
}

function send(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, body === undefined ? {} : { 'content-type': 'application/json' });
  response.end(body === undefined ? '' : JSON.stringify(body));
}

/** Undefined where it is no JSON, or more than there is room for. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
