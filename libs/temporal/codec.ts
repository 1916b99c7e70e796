/**
 * The codec server's two functions, on Temporal's remote-codec bodies (`{"payloads": […]}`, proto-JSON): what makes
 * histories readable to operators in the Temporal Web UI and CLI.
 */
import { JSONToPayload, payloadToJSON } from '@temporalio/common/lib/proto-utils.js';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { CipherError } from '../security/cipher.error.js';
import { createDataConverter, type Secrets } from './data-converter.js';
import { JobUnknown } from './job-tenants.store.js';
import { isSealed, JOB_ID_METADATA, type PayloadSealer } from './payload.codec.js';
import { jobIdOfWorkflow } from './workflow-id.js';

const PAYLOADS_MAX = 5_000;

type JsonPayload = Parameters<typeof JSONToPayload>[0];

/** A remote codec's request and response. */
export interface CodecBody {
  readonly payloads: readonly unknown[];
}

/** The request is no codec body; answer 400. */
export class CodecBodyInvalid extends Error {
  readonly code = 'invalid_codec_body';
  constructor(expectation: string) {
    super(`The codec expected ${expectation}.`);
    this.name = 'CodecBodyInvalid';
  }
}

export interface Codec {
  /** Opens payloads; one that cannot be opened (a destroyed key) comes back as a text that says why. */
  decodePayloads(body: unknown): Promise<CodecBody>;
  /** Seals payloads for the job that each names in its metadata, or `jobId`. Sealed ones come back as they are. */
  encodePayloads(body: unknown, jobId?: string): Promise<CodecBody>;
}

/** The codec server's functions; both throw CodecBodyInvalid for a body that is none. */
export function createCodec(secrets: Secrets): Codec {
  const { sealer } = createDataConverter(secrets);
  return {
    decodePayloads: async (body) => mapPayloads(body, (payload) => openOrExplain(sealer, payload)),
    encodePayloads: async (body, jobId) =>
      mapPayloads(body, async (payload) => {
        if (isSealed(payload)) return payload;
        const named = Buffer.from(payload.metadata?.[JOB_ID_METADATA] ?? []).toString() || jobId;
        if (named === undefined || jobIdOfWorkflow(named) !== named) {
          throw new CodecBodyInvalid(`the job's id in each payload's metadata "${JOB_ID_METADATA}"`);
        }
        return sealer.seal(payload, named);
      }),
  };
}

async function openOrExplain(sealer: PayloadSealer, payload: Payload): Promise<Payload> {
  try {
    return await sealer.open(payload);
  } catch (error) {
    if (error instanceof CipherError || error instanceof JobUnknown) {
      return defaultPayloadConverter.toPayload<string>(`[unreadable: ${error.code}] ${error.message}`);
    }
    throw error;
  }
}

async function mapPayloads(body: unknown, map: (payload: Payload) => Promise<Payload>): Promise<CodecBody> {
  const payloads = payloadsOf(body).map(readPayload);
  return { payloads: (await Promise.all(payloads.map(map))).map((payload) => payloadToJSON(payload)) };
}

function payloadsOf(body: unknown): readonly unknown[] {
  const payloads: unknown =
    typeof body === 'object' && body !== null && 'payloads' in body ? body.payloads : undefined;
  if (!Array.isArray(payloads)) throw new CodecBodyInvalid('{"payloads": […]}');
  if (payloads.length > PAYLOADS_MAX) throw new CodecBodyInvalid(`at most ${PAYLOADS_MAX} payloads`);
  return payloads;
}

function readPayload(json: unknown): Payload {
  if (typeof json !== 'object' || json === null) throw new CodecBodyInvalid('every payload to be an object');
  const { metadata, data }: { metadata?: unknown; data?: unknown } = json;
  const texts = typeof metadata === 'object' && metadata !== null ? Object.values(metadata) : [];
  if (!texts.every((text) => typeof text === 'string') || !['undefined', 'string'].includes(typeof data)) {
    throw new CodecBodyInvalid('metadata and data in base64');
  }
  try {
    return JSONToPayload({ metadata, data } as JsonPayload);
  } catch {
    throw new CodecBodyInvalid('metadata and data in base64');
  }
}
