/** Webhook endpoints and deliveries as the API shows them. */

/** What an owner sets of an endpoint. */
export interface WebhookEndpointWish {
  /** https, at a public address. */
  readonly url: string;
  /** Types (`invoice.paid`), prefixes (`invoice.*`), or `*`. */
  readonly eventTypes: readonly string[];
  readonly description?: string | null | undefined;
  /** Deliveries begun in a second, at most; null: as they come. */
  readonly ratePerSecond?: number | null | undefined;
  /** Deliveries at a time, of each worker process. */
  readonly concurrency?: number | undefined;
}

export type WebhookEndpointChange = Partial<WebhookEndpointWish> & {
  readonly status?: 'enabled' | 'disabled' | undefined;
};

export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  readonly eventTypes: readonly string[];
  readonly description: string | null;
  readonly ratePerSecond: number | null;
  readonly concurrency: number;
  readonly status: 'enabled' | 'disabled';
  readonly disabledReason: 'owner' | 'gone' | 'failing' | null;
  readonly disabledAt: string | null;
  readonly failingSince: string | null;
  readonly pausedUntil: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly links: { readonly self: string; readonly deliveries: string };
}

/** Where a secret is shown, once. */
export interface WebhookEndpointWithSecret extends WebhookEndpoint {
  readonly secret: string;
}

export type WebhookDeliveryStatus = 'open' | 'delivered' | 'dead' | 'withdrawn';

export interface WebhookDelivery {
  readonly jobId: string;
  readonly endpointId: string;
  readonly status: WebhookDeliveryStatus;
  readonly reason: string | null;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly carriedBy: string;
  readonly log: readonly {
    readonly at: string;
    readonly durationMs: number;
    readonly status?: number;
    readonly code?: string;
    readonly detail?: string;
  }[];
}

/** One event, by its job; or what was given up in a range of time. */
export type WebhookResend =
  { readonly event: string } | { readonly since: string; readonly until?: string | undefined };

/** What callbacks of jobs' ends are signed with. */
export interface CallbackSecret {
  readonly createdAt: string;
  /** The one before signs beside it until then. */
  readonly previousUntil: string | null;
}
