/**
 * `COPY … TO STDOUT` as a stream of bytes that counts its rows. PostgreSQL sends each row as a message of its own;
 * their contents are laid end to end in blocks, so that a row costs neither an object, nor an event, nor a write.
 */
import { Readable } from 'node:stream';
import type { Socket } from 'node:net';
import type pg from 'pg';
import { CopySocket } from './copy-socket.js';

const HEADER_BYTES = 5;
/** Below this length a loop over words in JavaScript beats the call of `copy`. */
const LOOP_BYTES_MAX = 192;
const WORD_BYTES = 4;
/** What one write of the reader's is worth; sockets deliver about 20 KiB at a time. */
const BLOCK_BYTES = 1 << 18;
const HIGH_WATER_BYTES = 4 * BLOCK_BYTES;
/** Blocks that were taken back and wait to be filled again: those on their way, and one more. */
const FREE_BLOCKS_MAX = HIGH_WATER_BYTES / BLOCK_BYTES + 1;

/** Message types of the protocol (PostgreSQL manual, 55.7). */
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
const PASSED_OVER = new Set([0x48, 0x4e, 0x53, 0x41]); // CopyOutResponse, NoticeResponse, ParameterStatus, Notification

type Handler = (data: Buffer) => void;

/** Give it to `client.query(…)`. Ends after the server said that the whole command succeeded; then `rows` is its count. */
export class CopyOut extends Readable implements pg.Submittable {
  /** Messages so far, a header line included; after the end, the count of the command tag: rows alone. */
  rows = 0;
  /** Copied so far. */
  bytes = 0;
  #text: string;
  #socket: Socket | undefined;
  #driver: Handler | undefined;
  #readHere: Handler = (data) => this.#take(data);
  #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #remaining = 0;
  #isData = false;
  #block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #blockWords = wordsOf(this.#block);
  #blockBytes = 0;
  #freeBlocks: Buffer[] = [];

  constructor(text: string) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#text = text;
  }

  /** Fills the block of this chunk again: whoever calls it has no more use for the chunk. It spares V8 the collecting. */
  takeBack(chunk: Buffer): void {
    const block = Buffer.from(chunk.buffer as ArrayBuffer);
    if (block.length === BLOCK_BYTES && this.#freeBlocks.length < FREE_BLOCKS_MAX)
      this.#freeBlocks.push(block);
  }

  submit(connection: pg.Connection): void {
    const socket = connection.stream as Socket;
    const [driver, ...others] = socket.listeners('data') as Handler[];
    if (!driver || others.length > 0)
      throw new Error('expected the driver to be the one reader of its socket');
    this.#socket = socket;
    this.#driver = driver;
    if (socket instanceof CopySocket) socket.borrower = this.#readHere;
    else socket.off('data', driver).on('data', this.#readHere);
    connection.query(this.#text);
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // A server that is still sending would wait for ever on a socket nobody reads.
    const abandoned = this.#socket;
    this.#giveBack(undefined);
    abandoned?.destroy();
    callback(error);
  }

  // What the driver calls on its active query.
  handleError(error: Error): void {
    this.#giveBack(undefined);
    this.destroy(error);
  }

  handleCommandComplete(message: { text?: string }): void {
    const rows = /^COPY (\d+)/.exec(message.text ?? '')?.[1];
    if (rows !== undefined) this.rows = Number(rows);
  }

  handleReadyForQuery(): void {
    this.push(null);
  }

  /** Hands the socket back to the driver, with what came after the copied data. */
  #giveBack(rest: Buffer | undefined): void {
    const [socket, driver] = [this.#socket, this.#driver];
    if (!socket || !driver) return;
    this.#socket = undefined;
    if (socket instanceof CopySocket) socket.borrower = undefined;
    else socket.off('data', this.#readHere).on('data', driver);
    // The driver keeps what it is given.
    if (rest) driver(Buffer.from(rest));
    socket.resume();
  }

  #take(chunk: Buffer): void {
    const { length } = chunk;
    const words = wordsOf(chunk);
    let at = 0;
    while (at < length) {
      if (this.#remaining > 0) {
        const bytes = Math.min(this.#remaining, length - at);
        if (this.#isData) this.#append(chunk, words, at, bytes);
        at += bytes;
        this.#remaining -= bytes;
        continue;
      }
      const missing = Math.min(HEADER_BYTES - this.#headerBytes, length - at);
      if (missing < HEADER_BYTES) {
        // The header lies across two chunks.
        chunk.copy(this.#header, this.#headerBytes, at, at + missing);
        this.#headerBytes += missing;
        at += missing;
        if (this.#headerBytes < HEADER_BYTES) break;
        this.#headerBytes = 0;
        if (this.#begin(this.#header, 0)) continue;
        this.#finish(Buffer.concat([this.#header, chunk.subarray(at)]));
        return;
      }
      if (!this.#begin(chunk, at)) {
        this.#finish(chunk.subarray(at));
        return;
      }
      at += HEADER_BYTES;
    }
  }

  #append(chunk: Buffer, words: DataView, from: number, bytes: number): void {
    this.bytes += bytes;
    const whole = bytes + WORD_BYTES - 1;
    if (bytes <= LOOP_BYTES_MAX && this.#blockBytes + whole <= BLOCK_BYTES && from + whole <= chunk.length) {
      copyWords(words, from, this.#blockWords, this.#blockBytes, bytes);
      this.#blockBytes += bytes;
      return;
    }
    for (let at = from, left = bytes; left > 0;) {
      if (this.#blockBytes === BLOCK_BYTES) this.#flush();
      const fits = Math.min(left, BLOCK_BYTES - this.#blockBytes);
      chunk.copy(this.#block, this.#blockBytes, at, at + fits);
      this.#blockBytes += fits;
      at += fits;
      left -= fits;
    }
  }

  /** Gives the block to the reader; when that one has enough, the socket waits until it asks again. */
  #flush(): void {
    if (this.#blockBytes === 0) return;
    if (!this.push(this.#block.subarray(0, this.#blockBytes))) this.#socket?.pause();
    this.#block = this.#freeBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#blockWords = wordsOf(this.#block);
    this.#blockBytes = 0;
  }

  /** Reads a header; false: not a message of the copy any more. */
  #begin(buffer: Buffer, at: number): boolean {
    const type = buffer[at] ?? 0;
    if (type !== COPY_DATA && !PASSED_OVER.has(type)) return false;
    this.#isData = type === COPY_DATA;
    if (this.#isData) this.rows += 1;
    this.#remaining = buffer.readInt32BE(at + 1) - 4;
    return true;
  }

  /** CopyDone, or an error: the driver knows both; CopyDone it would only ignore. */
  #finish(rest: Buffer): void {
    this.#flush();
    this.#giveBack(rest[0] === COPY_DONE ? rest.subarray(HEADER_BYTES) : rest);
  }
}

/**
 * Copies word by word, the last one whole where there is room: what it writes too much is written over by what follows.
 */
function copyWords(source: DataView, from: number, target: DataView, to: number, bytes: number): void {
  for (let i = 0; i < bytes; i += WORD_BYTES) target.setUint32(to + i, source.getUint32(from + i));
}

function wordsOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
