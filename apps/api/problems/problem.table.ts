/** The one table of public error codes. `docs/errors.md` is generated from it, and a test holds the two equal. */

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** What the reader should do. */
  readonly advice: string;
}

const kinds = {
  invalid_request: {
    status: 400,
    title: 'The request is not well-formed HTTP',
    advice: 'Look at the URL’s percent-encoding and at the headers.',
  },
  invalid_json: {
    status: 400,
    title: 'The body is not valid JSON',
    advice: 'Send one JSON object in UTF-8.',
  },
  json_too_deep: {
    status: 400,
    title: 'The body is nested too deeply',
    advice: 'Nest at most 64 levels.',
  },
  invalid_idempotency_key: {
    status: 400,
    title: 'The Idempotency-Key is malformed',
    advice: 'Send 1 to 255 visible ASCII characters, bare or in double quotes.',
  },
  upload_interrupted: {
    status: 400,
    title: 'The upload broke off',
    advice: 'Send it again, whole: nothing of it was kept.',
  },
  unauthenticated: {
    status: 401,
    title: 'No valid API key',
    advice: 'Send `Authorization: Bearer lh_…` with a key that is not revoked.',
  },
  role_too_low: {
    status: 403,
    title: 'This key may not do that',
    advice: 'Use a key of the role the detail names.',
  },
  client_key_required: {
    status: 403,
    title: 'This works for one tenant',
    advice: 'Use a client key: operator and admin keys belong to the platform, not to a tenant.',
  },
  invalid_signature: {
    status: 403,
    title: 'The link is not one of ours',
    advice: 'Take a fresh link from GET /jobs/{id}/result and use it unchanged.',
  },
  route_not_found: {
    status: 404,
    title: 'There is nothing here',
    advice: 'Look the route up in /openapi.json.',
  },
  job_not_found: {
    status: 404,
    title: 'No such job',
    advice: 'Check the id. Jobs of other tenants answer the same.',
  },
  kind_not_found: {
    status: 404,
    title: 'No such kind of job',
    advice: 'GET /kinds lists them.',
  },
  dead_letter_not_found: {
    status: 404,
    title: 'No such dead letter',
    advice: 'GET /dead-letters lists them.',
  },
  webhook_endpoint_not_found: {
    status: 404,
    title: 'No such webhook endpoint',
    advice: 'GET /webhook-endpoints lists yours.',
  },
  schedule_not_found: {
    status: 404,
    title: 'There is no such schedule',
    advice: 'Ids of other tenants answer the same as unknown ones.',
  },
  callback_secret_not_found: {
    status: 404,
    title: 'There is no callback secret yet',
    advice: 'POST /callback-secret/rotate makes one, and shows it once.',
  },
  callback_not_found: {
    status: 404,
    title: 'The job has no callback',
    advice: 'A callback is given with the submission: `callback: {url}`.',
  },
  email_template_not_found: {
    status: 404,
    title: 'No such e-mail template',
    advice: 'GET /email-templates lists yours; each has its newest version.',
  },
  recipient_list_not_found: {
    status: 404,
    title: 'No such list of recipients',
    advice: 'GET /recipient-lists lists yours. A list is deleted when its time is over.',
  },
  email_suppression_not_found: {
    status: 404,
    title: 'No such suppression',
    advice: 'GET /email-suppressions lists yours.',
  },
  document_not_found: {
    status: 404,
    title: 'No such document',
    advice: 'Ask for it with POST /documents; until its job has succeeded there is none.',
  },
  upload_not_found: {
    status: 404,
    title: 'No such upload',
    advice: 'It may have expired: upload it again. Those of other tenants answer the same.',
  },
  rendition_not_found: {
    status: 404,
    title: 'No such rendition',
    advice: 'GET /jobs/{id}/renditions lists those there are.',
  },
  problem_not_found: {
    status: 404,
    title: 'No such error code',
    advice: 'docs/errors.md lists them.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed here',
    advice: 'The Allow header says which are.',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    advice: 'Send it again.',
  },
  natural_key_conflict: {
    status: 409,
    title: 'Another input has the same natural key',
    advice: 'Change what the key is made of (a version, say), or follow the job that is there.',
  },
  callback_not_sent: {
    status: 409,
    title: 'The callback was not sent yet',
    advice: 'It is sent by itself once the job has ended: GET /jobs/{id}/deliveries shows its attempts.',
  },
  webhook_endpoint_exists: {
    status: 409,
    title: 'Another webhook endpoint has this URL',
    advice: 'Change that one: an endpoint may subscribe to many types.',
  },
  upload_quota_reached: {
    status: 409,
    title: 'Your uploads have as many bytes as are kept at a time',
    advice: 'Delete some (DELETE /uploads/{id}), or wait until they expire.',
  },
  idempotency_in_flight: {
    status: 409,
    title: 'A request with the same key is still being accepted',
    advice: 'Repeat after Retry-After.',
  },
  job_busy: {
    status: 409,
    title: 'The job is being changed this moment',
    advice: 'Repeat after Retry-After.',
  },
  result_not_ready: {
    status: 409,
    title: 'The job has not finished',
    advice: 'Repeat after Retry-After, or follow the events.',
  },
  job_failed: {
    status: 409,
    title: 'The job failed, so there is no result',
    advice: 'GET /jobs/{id} says why. Submit it again with onDuplicate "restart" once the cause is mended.',
  },
  job_cancelled: {
    status: 409,
    title: 'The job was cancelled, so there is no result',
    advice: 'Submit it again with onDuplicate "restart".',
  },
  job_finished: {
    status: 409,
    title: 'The job has finished',
    advice: 'Nothing is left to cancel.',
  },
  too_late: {
    status: 409,
    title: 'The job is past its commit point',
    advice: 'It only goes forward from here. Wait for its end.',
  },
  decision_not_possible: {
    status: 409,
    title: 'The parked job cannot be decided so',
    advice: '`detail` says why, and `possible` what is. With Retry-After it becomes possible then.',
  },
  result_expired: {
    status: 410,
    title: 'The result has expired',
    advice: 'Submit the job again with onDuplicate "restart".',
  },
  link_expired: {
    status: 410,
    title: 'The link has expired',
    advice: 'Take a fresh link from GET /jobs/{id}/result.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    advice: 'Send at most 1 MiB; split a batch.',
  },
  upload_too_large: {
    status: 413,
    title: 'The upload is too large',
    advice: 'The detail says how much is taken.',
  },
  uri_too_long: {
    status: 414,
    title: 'The URL is too long',
    advice: 'No part of a path of ours is that long.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body is by its Content-Type not what is taken here',
    advice:
      'Send `Content-Type: application/json`, UTF-8, without Content-Encoding; to POST /uploads the bytes themselves, as `image/…` or `application/octet-stream`.',
  },
  upload_not_an_image: {
    status: 415,
    title: 'The bytes are no image that is taken',
    advice: 'Send JPEG, PNG, WebP, GIF or AVIF; the bytes count, not the Content-Type.',
  },
  range_not_satisfiable: {
    status: 416,
    title: 'The range lies outside the file',
    advice: 'Content-Range says how long it is.',
  },
  recipient_list_invalid: {
    status: 422,
    title: 'The list of recipients cannot be used as it is',
    advice: '`errors` has a row’s line as its pointer. Mend those rows, or upload with onBadRows=skip.',
  },
  email_not_configured: {
    status: 422,
    title: 'There is no mail server',
    advice: 'The operator sets LONGHAUL_SMTP_URL and LONGHAUL_EMAIL_FROM.',
  },
  validation_failed: {
    status: 422,
    title: 'The request has values that are not allowed',
    advice: '`errors` names all of them, each with a JSON pointer (or the parameter’s name).',
  },
  image_unreadable: {
    status: 422,
    title: 'The image is broken',
    advice: 'Look whether it opens elsewhere, and was sent whole.',
  },
  image_too_large: {
    status: 422,
    title: 'The image has too many pixels',
    advice: 'Scale it down before you upload it; the detail says how many are taken.',
  },
  not_available: {
    status: 422,
    title: 'The request asks for something this version does not have yet',
    advice: 'Leave the fields out that `errors` names.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key was used with another body',
    advice: 'Use a new key for a new request.',
  },
  too_many_streams: {
    status: 429,
    title: 'Too many event streams are open',
    advice: 'Close some, or poll GET /jobs/{id} with If-None-Match. Repeat after Retry-After.',
  },
  headers_too_large: {
    status: 431,
    title: 'The headers are too large',
    advice: 'Send at most 16 KiB of URL and headers.',
  },
  internal_error: {
    status: 500,
    title: 'Something is wrong on our side',
    advice: 'Report the traceId. A repeated request with the same Idempotency-Key is safe.',
  },
  database_unavailable: {
    status: 503,
    title: 'The database is away',
    advice: 'Repeat after Retry-After, with the same Idempotency-Key.',
  },
  store_unavailable: {
    status: 503,
    title: 'The store of files is away',
    advice: 'Repeat after Retry-After.',
  },
} satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof kinds;

/** Every public error code with its HTTP status, title and advice. */
export const problemTable: Readonly<Record<ProblemCode, ProblemKind>> = kinds;

/** Whether a text is one of the codes. */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(problemTable, text);
}

/** `docs/errors.md`, as generated from the table. */
export function renderErrorsDocument(): string {
  const rows = Object.entries(problemTable).map(([code, { status, title, advice }]) => [
    String(status),
    `\`${code}\``,
    title,
    advice,
  ]);
  return `# Errors

Every error is \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\`, \`instance\`, \`code\`,
\`traceId\`; validation adds \`errors: [{pointer, detail}]\`, all of them at once. Programs branch on \`code\`, which is stable.
This page is generated from \`apps/api/problems/problem.table.ts\` by \`scripts/write-errors-document.ts\`.

${renderTable([['status', 'code', 'what', 'what to do'], ...rows])}
`;
}

/** A Markdown table as the formatter writes it: columns of one width. */
function renderTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
