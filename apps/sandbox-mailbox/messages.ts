/** The messages the mailbox has got, the last so many, in memory. */
import PostalMime from 'postal-mime';

const KEPT_MAX = 5_000;
const BYTES_KEPT_MAX = 64 * 1024 * 1024;

export interface ReceivedMessage {
  /** From 1, in the order they came. */
  readonly id: number;
  readonly at: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Buffer;
}

export interface Messages {
  add(message: Omit<ReceivedMessage, 'id' | 'at'>): void;
  /** The newest first. */
  list(filter: { readonly to?: string | undefined; readonly limit: number }): readonly ReceivedMessage[];
  find(id: number): ReceivedMessage | undefined;
  /** How many ever came. */
  count(): number;
  clear(): void;
}

export function createMessages(): Messages {
  let messages: ReceivedMessage[] = [];
  let bytes = 0;
  let count = 0;
  return {
    add(message) {
      count += 1;
      bytes += message.raw.length;
      messages.push({ ...message, id: count, at: new Date().toISOString() });
      while (messages.length > KEPT_MAX || bytes > BYTES_KEPT_MAX) bytes -= messages.shift()?.raw.length ?? 0;
    },
    list: ({ to, limit }) =>
      messages
        .filter((message) => to === undefined || message.to.includes(to))
        .slice(-limit)
        .reverse(),
    find: (id) => messages.find((message) => message.id === id),
    count: () => count,
    clear() {
      messages = [];
      bytes = 0;
    },
  };
}

/** A message as people read it. */
export async function readMessage({ id, at, from, to, raw }: ReceivedMessage): Promise<object> {
  const {
    subject,
    text,
    html,
    messageId,
    headers,
    from: sender,
    to: addressees,
  } = await PostalMime.parse(raw);
  return {
    id,
    at,
    envelope: { from, to },
    from: sender,
    to: addressees,
    subject,
    messageId,
    text,
    html,
    headers: Object.fromEntries(headers.map(({ key, value }) => [key, value])),
  };
}
