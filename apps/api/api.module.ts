/** The API's one module. */
import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ApiResources } from './api.resources.js';
import { ArtifactsController } from './artifacts/artifacts.controller.js';
import { Authenticator } from './auth/authenticator.js';
import { CodecController } from './codec/codec.controller.js';
import { EmailSuppressionsController } from './emails/email-suppressions.controller.js';
import { EmailTemplatesController } from './emails/email-templates.controller.js';
import { MessagesController } from './emails/messages.controller.js';
import { RecipientListsController } from './emails/recipient-lists.controller.js';
import { DocumentsController } from './documents/documents.controller.js';
import { QueuePolls } from './engine/queue-polls.js';
import { StateQueries } from './engine/state-queries.js';
import { HealthController } from './health/health.controller.js';
import { JobAcceptor } from './jobs/job.acceptor.js';
import { JobController } from './jobs/job.controller.js';
import { JobEvents } from './jobs/job.events.js';
import { JobReader } from './jobs/job.reader.js';
import { JobWatcher } from './jobs/job.watcher.js';
import { JobsController } from './jobs/jobs.controller.js';
import { KindsController } from './kinds/kinds.controller.js';
import { DeadLettersController } from './operators/dead-letters.controller.js';
import { GuardedController } from './operators/guarded.controller.js';
import { ProblemFilter } from './problems/problem.filter.js';
import { ProblemsController } from './problems/problems.controller.js';
import { SchedulesController } from './schedules/schedules.controller.js';
import { CallbacksController } from './webhooks/callbacks.controller.js';
import { CallbackSecretController } from './webhooks/callback-secret.controller.js';
import { RenditionsController } from './uploads/renditions.controller.js';
import { UploadsController } from './uploads/uploads.controller.js';
import { DeliveriesController } from './webhooks/deliveries.controller.js';
import { WebhookEndpointsController } from './webhooks/webhook-endpoints.controller.js';

@Module({})
export class ApiModule {
  static with(resources: ApiResources): DynamicModule {
    return {
      module: ApiModule,
      controllers: [
        JobsController,
        JobController,
        KindsController,
        ArtifactsController,
        CodecController,
        ProblemsController,
        HealthController,
        DeadLettersController,
        WebhookEndpointsController,
        DeliveriesController,
        CallbacksController,
        CallbackSecretController,
        SchedulesController,
        EmailTemplatesController,
        RecipientListsController,
        EmailSuppressionsController,
        MessagesController,
        DocumentsController,
        UploadsController,
        RenditionsController,
        GuardedController,
      ],
      providers: [
        { provide: ApiResources, useValue: resources },
        { provide: APP_FILTER, useClass: ProblemFilter },
        Authenticator,
        StateQueries,
        QueuePolls,
        JobReader,
        JobWatcher,
        JobEvents,
        JobAcceptor,
      ],
    };
  }
}
