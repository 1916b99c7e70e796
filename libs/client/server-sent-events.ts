/** Reads `text/event-stream` (WHATWG HTML, 9.2.6) from a response's bytes. */

export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  /** The last id seen so far, also where this event carries none. */
  readonly id: string | undefined;
}

/** A line longer than this is no event of ours; reading on would only fill memory. */
const LINE_LENGTH_MAX = 4 * 1024 * 1024;

/**
 * Yields events as their blank line arrives; comments and an event cut off by the end of the stream are dropped.
 * `onBytes` is called for every chunk, comments too: whoever watches over silence needs to know.
 */
export async function* readServerSentEvents(
  body: AsyncIterable<Uint8Array>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerSentEvent> {
  let event = '';
  let data: string[] = [];
  let id: string | undefined;
  for await (const line of readLines(body, onBytes)) {
    if (line === '') {
      if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), id };
      event = '';
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
  }
}

/** Lines end with LF, CRLF or CR; a CR at the end of a chunk waits for the next one. */
async function* readLines(body: AsyncIterable<Uint8Array>, onBytes: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  for await (const chunk of body) {
    onBytes();
    rest += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end; (end = endOfLine(rest, start)); start = end.next) yield rest.slice(start, end.at);
    rest = rest.slice(start);
    if (rest.length > LINE_LENGTH_MAX)
      throw new Error(`An event line is longer than ${LINE_LENGTH_MAX} characters.`);
  }
  if (rest.endsWith('\r')) yield rest.slice(0, -1);
}

function endOfLine(text: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\n') return { at, next: at + 1 };
    if (text[at] !== '\r') continue;
    if (at + 1 === text.length) return undefined;
    return { at, next: text[at + 1] === '\n' ? at + 2 : at + 1 };
  }
  return undefined;
}
