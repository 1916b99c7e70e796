/** Messages to an SMTP server: over kept connections, with what came of each, and whether it may have been taken. */
import { createTransport, type SendMailOptions } from 'nodemailer';
import type { Readable } from 'node:stream';
import { redactedHead } from '../webhooks/redact.js';

const CONNECT_MS_MAX = 10_000;
/** A server may think about a message for long; it had better be quicker than the step's time box. */
const SILENCE_MS_MAX = 120_000;
const MESSAGES_PER_CONNECTION_MAX = 500;
/** Of a message whose kept connection proved closed before its first byte was sent. */
const REQUEUES_MAX = 1;
const IDLE_MS_MAX = 30_000;
const SERVICE_NOT_AVAILABLE = 421;
const MUST_AUTHENTICATE = 530;

/** One message to one recipient, as nodemailer composes it. */
export type Mail = Omit<SendMailOptions, 'envelope'> & {
  readonly envelope: { readonly from: string; readonly to: string };
};

/** What came of it; replies are redacted. */
export type SmtpAnswer =
  | { readonly kind: 'taken'; readonly reply: string }
  /** Of this message: 4xx, 5xx. */
  | { readonly kind: 'refused'; readonly status: number; readonly reply: string }
  /** The server is away, or wants no more for now: nothing was sent, and no other message would be. */
  | { readonly kind: 'away'; readonly code: string; readonly reply: string }
  /** The connection was lost: before the message was sent, or in it, when nobody knows what became of it. */
  | { readonly kind: 'cut'; readonly isDoubtful: boolean; readonly reply: string }
  /** It does not let us in: an operator must look. */
  | { readonly kind: 'denied'; readonly reply: string };

export interface SmtpClient {
  /** Connections at a time, of this process. */
  readonly connections: number;
  /** Never throws for what a server or a network does. */
  send(mail: Mail): Promise<SmtpAnswer>;
  /** Cuts what is under way. */
  close(): void;
}

export interface SmtpOptions {
  /** `smtp://user:password@host:port`, or `smtps://`; nodemailer's options as its query. */
  readonly url: string;
  readonly connections: number;
  readonly silenceMsMax?: number;
}

export function createSmtpClient({
  url,
  connections,
  silenceMsMax = SILENCE_MS_MAX,
}: SmtpOptions): SmtpClient {
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: connections,
    maxMessages: MESSAGES_PER_CONNECTION_MAX,
    maxRequeues: REQUEUES_MAX,
    idleTimeout: IDLE_MS_MAX,
    connectionTimeout: CONNECT_MS_MAX,
    greetingTimeout: CONNECT_MS_MAX,
    dnsTimeout: CONNECT_MS_MAX,
    socketTimeout: silenceMsMax,
  });
  // A failed connection is told to the message that wanted it.
  transport.on('error', () => undefined);
  const streams = new WeakMap<object, Readable[]>();
  // It is made once a connection is ready for the message, and read once the server has asked for it.
  transport.use('stream', ({ data, message }, done) => {
    const create = message.createReadStream.bind(message);
    message.createReadStream = (...options) => {
      const stream = create(...options);
      streams.get(data.headers as object)?.push(stream);
      return stream;
    };
    done();
  });

  return {
    connections,
    async send(mail) {
      const headers = { ...(mail.headers as Record<string, string> | undefined) };
      const opened: Readable[] = [];
      streams.set(headers, opened);
      try {
        const info = await transport.sendMail({
          ...mail,
          headers,
          envelope: { ...mail.envelope },
          disableFileAccess: true,
          disableUrlAccess: true,
        });
        return { kind: 'taken', reply: redactedHead(info.response ?? '') };
      } catch (error) {
        return answerOf(error, opened);
      }
    },
    close: () => transport.close(),
  };
}

/** What nodemailer says of an error. */
interface SmtpError extends Error {
  readonly code?: string;
  readonly response?: string | false;
  readonly responseCode?: number;
}

/** Such as it has of the network; what has neither these nor a reply is a mistake of ours. */
const OF_THE_NETWORK =
  /^E(CONNECTION|TIMEDOUT|SOCKET|DNS|TLS|PROTOCOL|STREAM|MAXLIMIT|REQUIRETLS|PROXY|CONN[A-Z]+|PIPE|HOSTUNREACH|NETUNREACH)$/;

function answerOf(error: unknown, opened: readonly Readable[]): SmtpAnswer {
  if (!(error instanceof Error)) throw error;
  const { code = '', response, responseCode: status } = error as SmtpError;
  const reply = redactedHead(typeof response === 'string' ? response : error.message);
  if (code === 'EAUTH' || code === 'ENOAUTH' || status === MUST_AUTHENTICATE) {
    return status !== undefined && status < 500
      ? { kind: 'away', code: `smtp_${status}`, reply }
      : { kind: 'denied', reply };
  }
  if (status !== undefined) {
    // 421 may come at any moment, and says that the connection is closed; before a connection is ready it is nobody's message.
    if (status === SERVICE_NOT_AVAILABLE || opened.length === 0)
      return { kind: 'away', code: `smtp_${status}`, reply };
    return { kind: 'refused', status, reply };
  }
  if (code === 'EENVELOPE' || code === 'EMESSAGE') return { kind: 'refused', status: 550, reply };
  if (!OF_THE_NETWORK.test(code)) throw error;
  if (opened.length === 0) return { kind: 'away', code: code.toLowerCase(), reply };
  return { kind: 'cut', isDoubtful: opened.some((stream) => stream.readableDidRead), reply };
}
