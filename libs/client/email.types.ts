/** Templates, lists of recipients, suppressions and messages as the API shows them. */

export type EmailValue = string | number | boolean;

/** A part of JSON Schema. */
export interface EmailVariables {
  readonly properties: Readonly<
    Record<
      string,
      {
        readonly type: 'string' | 'number' | 'integer' | 'boolean';
        /** `artifact`: the id of a job whose file the message links to. */
        readonly format?: 'date' | 'date-time' | 'uri' | 'artifact' | undefined;
        readonly maxLength?: number | undefined;
        readonly description?: string | undefined;
      }
    >
  >;
  readonly required?: readonly string[] | undefined;
}

/** In Mustache’s language. */
export interface EmailTemplateWish {
  readonly subject: string;
  readonly text: string;
  readonly html?: string | null | undefined;
  readonly variables?: EmailVariables | undefined;
}

export interface EmailTemplate {
  readonly name: string;
  readonly version: number;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  readonly variables: EmailVariables;
  readonly createdAt: string;
  readonly links: { readonly self: string; readonly preview: string };
}

export interface EmailPreview {
  readonly version: number;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
}

export interface RecipientList {
  readonly id: string;
  readonly name: string;
  readonly recipients: number;
  readonly duplicates: number;
  readonly invalid: number;
  readonly columns: readonly string[];
  readonly bytes: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly links: { readonly self: string };
}

export interface UploadedRecipientList extends RecipientList {
  /** The first hundred of those that were left out. */
  readonly badRows: readonly { readonly line: number; readonly detail: string }[];
}

export interface EmailSuppression {
  readonly id: string;
  readonly address: string;
  readonly reason: 'owner' | 'bounced';
  readonly detail: string | null;
  readonly createdAt: string;
  readonly links: { readonly self: string };
}

export type EmailMessageStatus =
  'open' | 'sending' | 'sent' | 'refused' | 'suppressed' | 'dead' | 'withdrawn';

export interface EmailMessage {
  /** In the list, from 0. */
  readonly place: number;
  readonly messageId: string | null;
  /** Redacted. */
  readonly to: string | null;
  readonly status: EmailMessageStatus;
  readonly reason: string | null;
  readonly reply: string | null;
  readonly attempts: number;
  /** How often nobody heard whether the server took it. */
  readonly doubts: number;
  readonly nextAttemptAt: string | null;
  readonly finishedAt: string | null;
}
