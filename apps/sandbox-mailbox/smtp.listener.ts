/** The SMTP side: takes every message, unless a fault says otherwise. */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import type { Fault, FaultPlan, FaultPoint } from './fault.js';
import type { Messages } from './messages.js';

const MESSAGE_BYTES_MAX = 10 * 1024 * 1024;
const CLOSE_MS_MAX = 500;

export interface SmtpListener {
  readonly port: number;
  close(): Promise<void>;
}

type Done = (error?: Error | null, message?: string) => void;

export async function listenToSmtp(
  { messages, faults }: { readonly messages: Messages; readonly faults: FaultPlan },
  { host, port }: { readonly host: string; readonly port: number },
): Promise<SmtpListener> {
  const sockets = new Set<Socket>();
  const server = new SMTPServer({
    banner: 'sandbox mailbox',
    size: MESSAGE_BYTES_MAX,
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: CLOSE_MS_MAX,
    logger: false,
    onConnect: (session, done: Done) => step('connect', session, done),
    onMailFrom: (_, session, done: Done) => step('mail', session, done),
    onRcptTo: ({ address }, session, done: Done) => step('rcpt', session, done, [address]),
    onAuth: (_, __, done) => done(null, { user: 'anyone' }),
    onData(stream, session, done: Done) {
      collect(stream).then(
        (raw) => {
          const to = session.envelope.rcptTo.map(({ address }) => address);
          const fault = faults.take('data', to);
          // Dropped, it was taken all the same: that is what makes it a fault.
          if (!fault || fault.drop) messages.add({ from: senderOf(session), to, raw });
          answer(fault, session, done, 'Taken');
        },
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      );
    },
  });
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  // Of one connection, which is cut; the others go on.
  server.on('error', () => undefined);

  function step(at: FaultPoint, session: SMTPServerSession, done: Done, more: readonly string[] = []): void {
    answer(faults.take(at, more), session, done);
  }

  function answer(
    fault: Fault | undefined,
    { remotePort }: SMTPServerSession,
    done: Done,
    said?: string,
  ): void {
    if (!fault) return done(null, said);
    if (fault.drop) {
      for (const socket of sockets) if (socket.remotePort === remotePort) socket.destroy();
      return;
    }
    const reply = fault.reply ?? '';
    done(Object.assign(new Error(reply.slice(4)), { responseCode: Number(reply.slice(0, 3)) }));
  }

  const listening = once(server.server, 'listening');
  server.listen(port, host);
  await listening;
  return {
    port: (server.server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function senderOf({ envelope }: SMTPServerSession): string {
  return envelope.mailFrom === false ? '' : envelope.mailFrom.address;
}

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
