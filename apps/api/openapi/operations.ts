/** What OpenAPI says of each operation that its controller cannot: words, bodies, answers, errors. */
import type { z } from 'zod';
import { COMPRESSIONS } from '../../../libs/datasets/compressions.js';
import { FORMATS } from '../../../libs/datasets/formats.js';
import { DocumentQuery } from '../documents/document-query.schema.js';
import { PageQuery } from '../http/page.schema.js';
import { IDEMPOTENCY_KEY_PATTERN } from '../jobs/headers.js';
import { CancelQuery, ListQuery } from '../jobs/job-requests.schema.js';
import { MessageQuery, SuppressionQuery, TemplateQuery, UploadQuery } from '../emails/email.schema.js';
import { DeadLetterQuery } from '../operators/dead-letter.schema.js';
import type { ProblemCode } from '../problems/problem.table.js';
import { DeliveryQuery } from '../webhooks/webhook.schema.js';

export interface AnswerSpec {
  readonly description: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** By media type: the name of a component, or a schema. */
  readonly content?: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;
}

export interface HeaderSpec {
  readonly description: string;
  /** A regular expression, as JSON Schema has it. */
  readonly pattern: string;
}

export interface OperationSpec {
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** No key is asked for. */
  readonly public?: true;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: z.ZodType;
  readonly headers?: Readonly<Record<string, string | HeaderSpec>>;
  readonly body?: {
    /** Of JSON; undefined where the body is something else. */
    readonly schema?: string;
    readonly required: boolean;
    /** Of a body that is not. */
    readonly mediaTypes?: readonly string[];
  };
  readonly answers: Readonly<Record<number, AnswerSpec>>;
  readonly problems: readonly ProblemCode[];
}

const JSON_TYPE = 'application/json';
const deadLetterId = { id: 'The dead letter’s id, a UUIDv7.' };
const jobId = { id: 'The job’s id, a UUIDv7.' };
const scheduleId = { id: 'The schedule’s id, a UUIDv7.' };
const templateName = { name: 'The template’s name.' };
const listId = { id: 'The list’s id, a UUIDv7.' };
const suppressionId = { id: 'The suppression’s id, a UUIDv7.' };
const uploadId = { id: 'The upload’s id, a UUIDv7.' };
const endpointId = { id: 'The endpoint’s id, a UUIDv7.' };

const bodyProblems = [
  'invalid_json',
  'json_too_deep',
  'body_too_large',
  'unsupported_media_type',
  'validation_failed',
] as const satisfies readonly ProblemCode[];

/** Whatever an artifact may be; bytes, of which a schema says nothing. */
const fileContent = Object.fromEntries(
  [
    'application/octet-stream',
    'application/pdf',
    'application/json',
    ...['image/avif', 'image/webp', 'image/jpeg'],
    ...Object.values({ ...FORMATS, ...COMPRESSIONS }).map(mediaTypeOf),
  ].map((mediaType) => [mediaType, {}]),
);

/** The answer of a list. */
function pageOf(schema: string): AnswerSpec {
  return {
    description: 'A page.',
    headers: { Link: '`rel="next"` where there are more.' },
    content: { [JSON_TYPE]: schema },
  };
}

function mediaTypeOf({ contentType }: { readonly contentType: string }): string {
  return contentType.split(';', 1)[0] ?? contentType;
}

const submissionHeaders = {
  'Idempotency-Key': {
    description:
      '1 to 255 visible ASCII characters, bare or quoted. A repeat with the same body answers the same.',
    pattern: IDEMPOTENCY_KEY_PATTERN,
  },
  Prefer: '`wait=N`: answer when the job has ended, or after N seconds (at most 30).',
  traceparent: 'W3C trace context; stored with the job.',
};

const submissionAnswers = {
  202: {
    description: 'Accepted, durably.',
    headers: {
      Location: 'The job.',
      'Retry-After': 'Whole seconds until it is worth to look.',
      'Idempotent-Replayed': '`true` where the Idempotency-Key was seen before.',
      'Preference-Applied': '`wait=N`',
    },
    content: { [JSON_TYPE]: 'Job' },
  },
  200: {
    description: 'The job was there (`duplicate: true`), or it ended within `Prefer: wait=N`.',
    headers: {
      Location: 'The job.',
      'Retry-After': 'Where it has not ended.',
      'Idempotent-Replayed': '`true`',
      'Preference-Applied': '`wait=N`',
    },
    content: { [JSON_TYPE]: 'Job' },
  },
} satisfies OperationSpec['answers'];

const resubmissionHeaders = {
  'Idempotency-Key': submissionHeaders['Idempotency-Key'],
  traceparent: submissionHeaders.traceparent,
};

const jobAccepted = {
  202: {
    description: 'Accepted, durably.',
    headers: { Location: 'The job.', 'Retry-After': 'Whole seconds until it is worth to look.' },
    content: { [JSON_TYPE]: 'Job' },
  },
} satisfies OperationSpec['answers'];

const submissionProblems = [
  ...bodyProblems,
  'not_available',
  'invalid_idempotency_key',
  'idempotency_key_reused',
  'idempotency_in_flight',
  'natural_key_conflict',
  'job_busy',
  'client_key_required',
] as const satisfies readonly ProblemCode[];

const table = {
  submitJob: {
    tag: 'Jobs',
    summary: 'Submit a job',
    description: 'Durable before it answers. The same natural key is the same job.',
    headers: submissionHeaders,
    body: { schema: 'Submission', required: true },
    answers: submissionAnswers,
    problems: submissionProblems,
  },
  submitExport: {
    tag: 'Jobs',
    summary: 'Submit an export',
    description: '`POST /jobs` of kind `report.export` with the input as the body.',
    headers: submissionHeaders,
    body: { schema: 'ExportSubmission', required: true },
    answers: submissionAnswers,
    problems: submissionProblems,
  },
  submitDocument: {
    tag: 'Documents',
    summary: 'Ask for a document',
    description:
      '`POST /jobs` of kind `document.pdf` with the input as the body. The same version of the same object is the same file.',
    headers: submissionHeaders,
    body: { schema: 'DocumentSubmission', required: true },
    answers: submissionAnswers,
    problems: submissionProblems,
  },
  getDocument: {
    tag: 'Documents',
    summary: 'Get a document by what it is of',
    description:
      'The newest version that has been made, or the one named: 303 to a freshly signed URL, or that URL as JSON where `Accept` names it. A document that is still being made is a job: `POST /documents` answers it.',
    params: {
      template: 'One the operator configured, e.g. `invoice`.',
      object: 'What it is of, e.g. `INV-2026-0042`.',
    },
    query: DocumentQuery,
    answers: {
      200: {
        description: 'The link.',
        headers: { 'Content-Location': 'With the version it is.' },
        content: { [JSON_TYPE]: 'ArtifactLink' },
      },
      303: {
        description: 'To the file.',
        headers: { Location: 'A signed URL.', 'Content-Location': 'With the version it is.' },
      },
    },
    problems: ['document_not_found', 'result_expired', 'validation_failed', 'client_key_required'],
  },
  submitWebhookEvent: {
    tag: 'Webhooks',
    summary: 'Send an event to all endpoints that subscribe to it',
    description: '`POST /jobs` of kind `webhook.fanout` with the input as the body.',
    headers: submissionHeaders,
    body: { schema: 'WebhookEvent', required: true },
    answers: submissionAnswers,
    problems: submissionProblems,
  },
  createWebhookEndpoint: {
    tag: 'Webhooks',
    summary: 'Register an endpoint',
    description: 'The secret is shown in this answer, and never again.',
    body: { schema: 'WebhookEndpointBody', required: true },
    answers: {
      201: {
        description: 'Registered.',
        headers: { Location: 'The endpoint.' },
        content: { [JSON_TYPE]: 'WebhookEndpointWithSecret' },
      },
    },
    problems: [...bodyProblems, 'webhook_endpoint_exists', 'client_key_required'],
  },
  listWebhookEndpoints: {
    tag: 'Webhooks',
    summary: 'List endpoints, newest first',
    query: PageQuery,
    answers: { 200: pageOf('WebhookEndpointPage') },
    problems: ['validation_failed', 'client_key_required'],
  },
  getWebhookEndpoint: {
    tag: 'Webhooks',
    summary: 'Read an endpoint',
    params: endpointId,
    answers: { 200: { description: 'The endpoint.', content: { [JSON_TYPE]: 'WebhookEndpoint' } } },
    problems: ['webhook_endpoint_not_found', 'validation_failed', 'client_key_required'],
  },
  changeWebhookEndpoint: {
    tag: 'Webhooks',
    summary: 'Change an endpoint',
    description: 'What is not named stays. Enabled again, it starts with a clean slate.',
    params: endpointId,
    body: { schema: 'WebhookEndpointChange', required: true },
    answers: { 200: { description: 'The endpoint.', content: { [JSON_TYPE]: 'WebhookEndpoint' } } },
    problems: [
      ...bodyProblems,
      'webhook_endpoint_not_found',
      'webhook_endpoint_exists',
      'client_key_required',
    ],
  },
  deleteWebhookEndpoint: {
    tag: 'Webhooks',
    summary: 'Delete an endpoint',
    description: 'What is still open for it is given up.',
    params: endpointId,
    answers: { 204: { description: 'It is gone.' } },
    problems: ['webhook_endpoint_not_found', 'client_key_required'],
  },
  rotateWebhookSecret: {
    tag: 'Webhooks',
    summary: 'Give an endpoint a new secret',
    description: 'The one before signs beside it for 24 hours. The new one is shown in this answer alone.',
    params: endpointId,
    answers: {
      200: {
        description: 'The endpoint, with its new secret.',
        content: { [JSON_TYPE]: 'WebhookEndpointWithSecret' },
      },
    },
    problems: ['webhook_endpoint_not_found', 'client_key_required'],
  },
  getCallbackSecret: {
    tag: 'Webhooks',
    summary: 'Tell of the secret that callbacks are signed with',
    description: 'When it was made; the secret itself is shown by the call that makes it alone.',
    answers: { 200: { description: 'What there is.', content: { [JSON_TYPE]: 'CallbackSecret' } } },
    problems: ['callback_secret_not_found', 'client_key_required'],
  },
  rotateCallbackSecret: {
    tag: 'Webhooks',
    summary: 'Make a new secret for callbacks',
    description:
      'The first, or another: the one before signs beside it for 24 hours. It is shown in this answer alone.',
    answers: {
      200: { description: 'The new secret.', content: { [JSON_TYPE]: 'CallbackSecretShown' } },
    },
    problems: ['client_key_required'],
  },
  createSchedule: {
    tag: 'Schedules',
    summary: 'Have jobs made again and again',
    description:
      'Each run is a job like any other. Durable before it answers; the engine is told as soon as it is there.',
    body: { schema: 'ScheduleBody', required: true },
    answers: {
      201: {
        description: 'The schedule.',
        headers: { Location: 'The schedule.' },
        content: { [JSON_TYPE]: 'Schedule' },
      },
    },
    problems: [...bodyProblems, 'not_available', 'email_not_configured', 'client_key_required'],
  },
  listSchedules: {
    tag: 'Schedules',
    summary: 'List schedules, newest first',
    query: PageQuery,
    answers: { 200: pageOf('SchedulePage') },
    problems: ['validation_failed', 'client_key_required'],
  },
  getSchedule: {
    tag: 'Schedules',
    summary: 'Read a schedule, and when it runs next',
    params: scheduleId,
    answers: { 200: { description: 'The schedule.', content: { [JSON_TYPE]: 'Schedule' } } },
    problems: ['validation_failed', 'schedule_not_found', 'client_key_required'],
  },
  changeSchedule: {
    tag: 'Schedules',
    summary: 'Change, pause or resume a schedule',
    description: 'What is not named stays. Runs that have begun go on as they were.',
    params: scheduleId,
    body: { schema: 'ScheduleChange', required: true },
    answers: { 200: { description: 'The schedule.', content: { [JSON_TYPE]: 'Schedule' } } },
    problems: [
      ...bodyProblems,
      'not_available',
      'email_not_configured',
      'schedule_not_found',
      'client_key_required',
    ],
  },
  deleteSchedule: {
    tag: 'Schedules',
    summary: 'Delete a schedule',
    description: 'No run begins any more; those that have begun go on.',
    params: scheduleId,
    answers: { 204: { description: 'Deleted.' } },
    problems: ['schedule_not_found', 'client_key_required'],
  },
  triggerSchedule: {
    tag: 'Schedules',
    summary: 'Run a schedule now',
    description: 'Beside its plan, paused or not: the overlap policy is not asked.',
    params: scheduleId,
    headers: resubmissionHeaders,
    answers: { 202: jobAccepted[202], 200: submissionAnswers[200] },
    problems: [...submissionProblems, 'schedule_not_found'],
  },
  listScheduleJobs: {
    tag: 'Schedules',
    summary: 'List the jobs a schedule made, newest first',
    params: scheduleId,
    query: PageQuery,
    answers: { 200: pageOf('JobPage') },
    problems: ['validation_failed', 'schedule_not_found', 'client_key_required'],
  },
  testWebhookEndpoint: {
    tag: 'Webhooks',
    summary: 'Send an endpoint an event of type longhaul.webhook_endpoint.test',
    description: 'Whatever it subscribes to.',
    params: endpointId,
    headers: resubmissionHeaders,
    answers: jobAccepted,
    problems: [...submissionProblems, 'webhook_endpoint_not_found'],
  },
  resendWebhooks: {
    tag: 'Webhooks',
    summary: 'Send an endpoint again what it was given up for, or one event',
    description: 'Under the same `webhook-id`, with all attempts anew.',
    params: endpointId,
    headers: resubmissionHeaders,
    body: { schema: 'WebhookResendRequest', required: true },
    answers: jobAccepted,
    problems: [...submissionProblems, 'webhook_endpoint_not_found'],
  },
  resendCallback: {
    tag: 'Webhooks',
    summary: 'Send a job’s callback again, whatever became of it',
    description:
      'Under the same `webhook-id`, with all attempts anew. The job of the answer counts it; one that is still under way is left as it is, and not counted.',
    params: jobId,
    headers: resubmissionHeaders,
    answers: jobAccepted,
    problems: [...submissionProblems, 'job_not_found', 'callback_not_found', 'callback_not_sent'],
  },
  listEndpointDeliveries: {
    tag: 'Webhooks',
    summary: 'List an endpoint’s deliveries, newest event first',
    params: endpointId,
    query: DeliveryQuery,
    answers: { 200: pageOf('WebhookDeliveryPage') },
    problems: ['webhook_endpoint_not_found', 'validation_failed', 'client_key_required'],
  },
  listJobDeliveries: {
    tag: 'Webhooks',
    summary: 'List an event’s deliveries',
    params: jobId,
    query: DeliveryQuery,
    answers: { 200: pageOf('WebhookDeliveryPage') },
    problems: ['job_not_found', 'validation_failed', 'client_key_required'],
  },
  submitEmail: {
    tag: 'E-mail',
    summary: 'Send a message from a template to one recipient or to a list',
    description: '`POST /jobs` of kind `email.send` with the input as the body.',
    headers: submissionHeaders,
    body: { schema: 'EmailRequest', required: true },
    answers: submissionAnswers,
    problems: [...submissionProblems, 'email_not_configured'],
  },
  listEmailTemplates: {
    tag: 'E-mail',
    summary: 'List templates in their newest versions, the one changed last first',
    query: PageQuery,
    answers: { 200: pageOf('EmailTemplatePage') },
    problems: ['validation_failed', 'client_key_required'],
  },
  putEmailTemplate: {
    tag: 'E-mail',
    summary: 'Write a template, or a new version of it',
    description:
      'In Mustache’s language: `{{name}}`, `{{#name}}…{{/name}}` where it has a value, `{{^name}}…{{/name}}` where it has none. What says the same as the newest version makes none.',
    params: templateName,
    body: { schema: 'EmailTemplateBody', required: true },
    answers: {
      200: { description: 'The newest version says the same.', content: { [JSON_TYPE]: 'EmailTemplate' } },
      201: {
        description: 'A new version.',
        headers: { Location: 'The version.' },
        content: { [JSON_TYPE]: 'EmailTemplate' },
      },
    },
    problems: [...bodyProblems, 'client_key_required'],
  },
  getEmailTemplate: {
    tag: 'E-mail',
    summary: 'Read a template',
    params: templateName,
    query: TemplateQuery,
    answers: { 200: { description: 'The template.', content: { [JSON_TYPE]: 'EmailTemplate' } } },
    problems: ['email_template_not_found', 'validation_failed', 'client_key_required'],
  },
  deleteEmailTemplate: {
    tag: 'E-mail',
    summary: 'Delete a template',
    description: 'Jobs that were accepted with it are sent.',
    params: templateName,
    answers: { 204: { description: 'It is gone.' } },
    problems: ['email_template_not_found', 'client_key_required'],
  },
  previewEmailTemplate: {
    tag: 'E-mail',
    summary: 'Write a template with values, and send nothing',
    params: templateName,
    query: TemplateQuery,
    body: { schema: 'EmailPreviewRequest', required: false },
    answers: { 200: { description: 'What a message would say.', content: { [JSON_TYPE]: 'EmailPreview' } } },
    problems: [...bodyProblems, 'email_template_not_found', 'client_key_required'],
  },
  uploadRecipientList: {
    tag: 'E-mail',
    summary: 'Upload a list of recipients as CSV or NDJSON',
    description:
      'Up to 100,000 of them, in at most 32 MiB of UTF-8: CSV whose first line names the columns, or an object a line. `address` is needed, `name` may be there; all else is for templates’ variables. An address that comes again is left out.',
    query: UploadQuery,
    body: { required: true, mediaTypes: ['text/csv', 'application/x-ndjson'] },
    answers: {
      201: {
        description: 'Stored, sealed.',
        headers: { Location: 'The list.' },
        content: { [JSON_TYPE]: 'UploadedRecipientList' },
      },
    },
    problems: [
      ...bodyProblems,
      'recipient_list_invalid',
      'upload_interrupted',
      'request_timeout',
      'client_key_required',
    ],
  },
  listRecipientLists: {
    tag: 'E-mail',
    summary: 'List lists of recipients, newest first',
    query: PageQuery,
    answers: { 200: pageOf('RecipientListPage') },
    problems: ['validation_failed', 'client_key_required'],
  },
  getRecipientList: {
    tag: 'E-mail',
    summary: 'Read what is known of a list; never its addresses',
    params: listId,
    answers: { 200: { description: 'The list.', content: { [JSON_TYPE]: 'RecipientList' } } },
    problems: ['recipient_list_not_found', 'validation_failed', 'client_key_required'],
  },
  deleteRecipientList: {
    tag: 'E-mail',
    summary: 'Delete a list and its addresses',
    description: 'Messages of open jobs that are not sent yet are given up.',
    params: listId,
    answers: { 204: { description: 'It is gone.' } },
    problems: ['recipient_list_not_found', 'client_key_required'],
  },
  addEmailSuppression: {
    tag: 'E-mail',
    summary: 'Send nothing more to an address',
    body: { schema: 'EmailSuppressionBody', required: true },
    answers: {
      200: { description: 'It was there.', content: { [JSON_TYPE]: 'EmailSuppression' } },
      201: {
        description: 'Added.',
        headers: { Location: 'The suppression.' },
        content: { [JSON_TYPE]: 'EmailSuppression' },
      },
    },
    problems: [...bodyProblems, 'client_key_required'],
  },
  listEmailSuppressions: {
    tag: 'E-mail',
    summary: 'List to whom nothing is sent, newest first',
    query: SuppressionQuery,
    answers: { 200: pageOf('EmailSuppressionPage') },
    problems: ['validation_failed', 'client_key_required'],
  },
  getEmailSuppression: {
    tag: 'E-mail',
    summary: 'Read a suppression',
    params: suppressionId,
    answers: { 200: { description: 'The suppression.', content: { [JSON_TYPE]: 'EmailSuppression' } } },
    problems: ['email_suppression_not_found', 'validation_failed', 'client_key_required'],
  },
  removeEmailSuppression: {
    tag: 'E-mail',
    summary: 'Send to an address again',
    params: suppressionId,
    answers: { 204: { description: 'It is gone.' } },
    problems: ['email_suppression_not_found', 'client_key_required'],
  },
  listJobMessages: {
    tag: 'E-mail',
    summary: 'List a job’s messages, in the list’s order',
    params: jobId,
    query: MessageQuery,
    answers: { 200: pageOf('EmailMessagePage') },
    problems: ['job_not_found', 'validation_failed', 'client_key_required'],
  },
  createUpload: {
    tag: 'Images',
    summary: 'Upload an image',
    description:
      'The body is the bytes themselves: JPEG, PNG, WebP, GIF or AVIF, by the bytes and not by Content-Type. The same bytes again answer the upload that is there, which is then kept for as long as a new one. Safe to repeat.',
    body: {
      schema: 'Bytes',
      required: true,
      mediaTypes: ['application/octet-stream', 'image/*'],
    },
    answers: {
      201: {
        description: 'Stored.',
        headers: { Location: 'The upload.' },
        content: { [JSON_TYPE]: 'Upload' },
      },
      200: {
        description: 'These bytes were there.',
        headers: { Location: 'The upload.' },
        content: { [JSON_TYPE]: 'Upload' },
      },
    },
    problems: [
      'upload_interrupted',
      'request_timeout',
      'upload_quota_reached',
      'upload_too_large',
      'unsupported_media_type',
      'upload_not_an_image',
      'image_unreadable',
      'image_too_large',
      'validation_failed',
      'store_unavailable',
      'client_key_required',
    ],
  },
  getUpload: {
    tag: 'Images',
    summary: 'Read an upload',
    params: uploadId,
    answers: { 200: { description: 'The upload.', content: { [JSON_TYPE]: 'Upload' } } },
    problems: ['upload_not_found', 'validation_failed', 'client_key_required'],
  },
  deleteUpload: {
    tag: 'Images',
    summary: 'Delete an upload',
    description: 'Jobs that have not read it yet refuse it; what was made of it stays.',
    params: uploadId,
    answers: { 204: { description: 'It is gone.' } },
    problems: ['upload_not_found', 'client_key_required'],
  },
  submitRenditions: {
    tag: 'Images',
    summary: 'Make sizes and formats of uploaded images',
    description: '`POST /jobs` of kind `image.renditions` with the input as the body.',
    headers: submissionHeaders,
    body: { schema: 'RenditionsSubmission', required: true },
    answers: submissionAnswers,
    problems: submissionProblems,
  },
  listRenditions: {
    tag: 'Images',
    summary: 'List a job’s sources with the files made of them, in the order they were named',
    description: 'Files have URLs once the job has succeeded. Refused sources say why.',
    params: jobId,
    query: PageQuery,
    answers: { 200: pageOf('RenditionPage') },
    problems: ['job_not_found', 'validation_failed', 'client_key_required'],
  },
  getRendition: {
    tag: 'Images',
    summary: 'Get one file',
    description: '303 to a freshly signed URL, or that URL as JSON where `Accept` names it.',
    params: { ...jobId, upload: 'The source’s upload.', name: 'The rendition’s name.' },
    answers: {
      200: { description: 'The link.', content: { [JSON_TYPE]: 'ArtifactLink' } },
      303: { description: 'To the file.', headers: { Location: 'A signed URL.' } },
    },
    problems: [
      'job_not_found',
      'rendition_not_found',
      'validation_failed',
      'result_expired',
      'client_key_required',
    ],
  },
  submitBatch: {
    tag: 'Jobs',
    summary: 'Submit 1 to 1,000 jobs',
    description:
      'The valid ones are accepted in one transaction. Each item is answered as `POST /jobs` would; pointers are relative to the item.',
    headers: {
      'Idempotency-Key': submissionHeaders['Idempotency-Key'],
      traceparent: submissionHeaders.traceparent,
    },
    body: { schema: 'Batch', required: true },
    answers: {
      202: {
        description: 'Answers in the order of the jobs.',
        headers: { 'Idempotent-Replayed': '`true` where the Idempotency-Key was seen before.' },
        content: { [JSON_TYPE]: 'BatchAnswer' },
      },
    },
    problems: submissionProblems,
  },
  listJobs: {
    tag: 'Jobs',
    summary: 'List jobs, newest first',
    description: 'Stored states: the workflows are not asked.',
    query: ListQuery,
    answers: { 200: pageOf('JobPage') },
    problems: ['validation_failed', 'client_key_required'],
  },
  getJob: {
    tag: 'Jobs',
    summary: 'Read a job',
    description: '200 in any state, failed ones too.',
    params: jobId,
    headers: { 'If-None-Match': 'The ETag of what you have.' },
    answers: {
      200: {
        description: 'The job.',
        headers: { ETag: 'The revision.', 'Retry-After': 'Where it has not ended.' },
        content: { [JSON_TYPE]: 'Job' },
      },
      304: { description: 'You have the present revision.', headers: { ETag: 'The revision.' } },
    },
    problems: ['job_not_found', 'validation_failed', 'client_key_required'],
  },
  followJob: {
    tag: 'Jobs',
    summary: 'Follow a job by server-sent events',
    description:
      '`event: job`, the whole job as data, the revision as id. A comment every 15 s. Ends after the terminal event; a reconnection with that event’s id is answered 204.',
    params: jobId,
    headers: { 'Last-Event-ID': 'The revision you have; the present state is sent at once if it is newer.' },
    answers: {
      200: { description: 'The stream.', content: { 'text/event-stream': {} } },
      204: { description: 'The job has ended, and you have its last revision.' },
    },
    problems: ['job_not_found', 'validation_failed', 'too_many_streams', 'client_key_required'],
  },
  getResult: {
    tag: 'Jobs',
    summary: 'Get a job’s result',
    description:
      'With an artifact: 303 to a freshly signed URL, or that URL as JSON where `Accept` names it.',
    params: jobId,
    answers: {
      200: {
        description: 'The link (kinds with an artifact), or the result.',
        content: { [JSON_TYPE]: 'Result' },
      },
      303: { description: 'To the file.', headers: { Location: 'A signed URL.' } },
    },
    problems: [
      'job_not_found',
      'validation_failed',
      'result_expired',
      'result_not_ready',
      'job_failed',
      'job_cancelled',
      'client_key_required',
    ],
  },
  cancelJob: {
    tag: 'Jobs',
    summary: 'Cancel a job',
    description:
      'The body may be missing. With `?dryRun=true` nothing changes: the answer says what would be undone, and what would be waited for.',
    params: jobId,
    query: CancelQuery,
    body: { schema: 'CancelRequest', required: false },
    answers: {
      202: {
        description: 'Asked for; completion may still win.',
        headers: { Location: 'The job.', 'Retry-After': 'Where it has not ended.' },
        content: { [JSON_TYPE]: 'Job' },
      },
      200: {
        description: 'It is cancelled already; or the preview.',
        content: {
          [JSON_TYPE]: {
            anyOf: [{ $ref: '#/components/schemas/Job' }, { $ref: '#/components/schemas/CancelPreview' }],
          },
        },
      },
    },
    problems: [
      ...bodyProblems,
      'job_not_found',
      'job_finished',
      'too_late',
      'job_busy',
      'client_key_required',
    ],
  },
  listKinds: {
    tag: 'Kinds',
    summary: 'List the kinds of job',
    answers: { 200: { description: 'All of them.', content: { [JSON_TYPE]: 'KindPage' } } },
    problems: [],
  },
  getKind: {
    tag: 'Kinds',
    summary: 'Read a kind',
    params: { kind: 'For example `report.export`.' },
    answers: { 200: { description: 'The kind.', content: { [JSON_TYPE]: 'Kind' } } },
    problems: ['kind_not_found'],
  },
  getArtifact: {
    tag: 'Artifacts',
    summary: 'Download a file by its signed URL',
    description:
      'URLs come from `GET /jobs/{id}/result`; they are the permission. Never under a Content-Encoding.',
    public: true,
    params: { path: 'The file’s location.' },
    headers: {
      Range: 'One range of bytes.',
      'If-Range': 'The ETag the range belongs to.',
      'If-None-Match': 'An ETag.',
    },
    answers: {
      200: {
        description: 'The whole file.',
        headers: {
          'Repr-Digest': 'SHA-256 of the whole file.',
          'Content-Disposition': 'attachment',
          ETag: 'The SHA-256.',
        },
        content: fileContent,
      },
      206: {
        description: 'A range.',
        headers: { 'Content-Range': 'Which.', 'Repr-Digest': 'SHA-256 of the whole file.' },
        content: fileContent,
      },
      304: { description: 'You have it.' },
    },
    problems: ['invalid_signature', 'link_expired', 'result_expired', 'range_not_satisfiable'],
  },
  listDeadLetters: {
    tag: 'Operators',
    summary: 'List parked jobs of every tenant, the latest park first',
    description: 'Role operator. `status=open` for those that wait for a person now.',
    query: DeadLetterQuery,
    answers: { 200: pageOf('DeadLetterPage') },
    problems: ['validation_failed', 'role_too_low'],
  },
  getDeadLetter: {
    tag: 'Operators',
    summary: 'Read a park with its context',
    description: 'Role operator.',
    params: deadLetterId,
    answers: { 200: { description: 'The dead letter.', content: { [JSON_TYPE]: 'DeadLetter' } } },
    problems: ['dead_letter_not_found', 'validation_failed', 'role_too_low'],
  },
  decide: {
    tag: 'Operators',
    summary: 'Decide how a parked job goes on',
    description:
      'Role operator; audited. Stored durably before it answers, and carried to the saga whatever happens meanwhile. The same decision twice is one.',
    params: deadLetterId,
    body: { schema: 'DecisionRequest', required: true },
    answers: {
      202: {
        description: 'Stored; the job as it is now.',
        headers: { Location: 'The job.', 'Retry-After': 'Where it has not ended.' },
        content: { [JSON_TYPE]: 'Job' },
      },
    },
    problems: [...bodyProblems, 'dead_letter_not_found', 'decision_not_possible', 'job_busy', 'role_too_low'],
  },
  encodePayloads: {
    tag: 'Operators',
    summary: 'Seal Temporal payloads',
    description: 'Temporal’s remote codec protocol. Role operator.',
    body: { schema: 'CodecPayloads', required: true },
    answers: { 200: { description: 'Sealed.', content: { [JSON_TYPE]: 'CodecPayloads' } } },
    problems: [...bodyProblems, 'role_too_low'],
  },
  decodePayloads: {
    tag: 'Operators',
    summary: 'Open Temporal payloads',
    description: 'Temporal’s remote codec protocol. Role operator.',
    body: { schema: 'CodecPayloads', required: true },
    answers: { 200: { description: 'Opened.', content: { [JSON_TYPE]: 'CodecPayloads' } } },
    problems: [...bodyProblems, 'role_too_low'],
  },
  decodePayloadsForUi: {
    tag: 'Operators',
    summary: 'Open Temporal payloads for the embedded stack’s Web UI',
    description: 'The token in the path is the permission. Off unless the stack was started with one.',
    public: true,
    params: { token: 'LONGHAUL_CODEC_UI_TOKEN' },
    body: { schema: 'CodecPayloads', required: true },
    answers: { 200: { description: 'Opened.', content: { [JSON_TYPE]: 'CodecPayloads' } } },
    problems: [...bodyProblems, 'unauthenticated', 'database_unavailable'],
  },
  getProblem: {
    tag: 'Service',
    summary: 'What an error code means',
    public: true,
    params: { code: 'A problem’s `code`.' },
    answers: { 200: { description: 'The code.', content: { [JSON_TYPE]: 'ProblemKind' } } },
    problems: ['problem_not_found'],
  },
  getHealth: {
    tag: 'Service',
    summary: 'Does the process live',
    public: true,
    answers: { 200: { description: 'It does.', content: { [JSON_TYPE]: 'Health' } } },
    problems: [],
  },
  getReadiness: {
    tag: 'Service',
    summary: 'Can it take work',
    description: 'Needs the database. The engine is told, not required: jobs are accepted without it.',
    public: true,
    answers: { 200: { description: 'It can.', content: { [JSON_TYPE]: 'Readiness' } } },
    problems: ['database_unavailable'],
  },
} satisfies Record<string, OperationSpec>;

export type OperationId = keyof typeof table;

export const operations: Readonly<Record<OperationId, OperationSpec>> = table;
