/** /openapi.json (3.1), generated from the controllers and the kinds' schemas, and /docs, which shows it. */
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { ApiResources } from '../api.resources.js';
import { componentSchemas } from './components.js';

const VERSION = '0.1.0';

/** Builds the document of the running application. */
export function buildDocument(app: NestFastifyApplication, resources: ApiResources): OpenAPIObject {
  const base = new DocumentBuilder()
    .setTitle('Longhaul')
    .setDescription(
      'Takes slow work off an API’s hands: 202 and a URL to follow now, a saga behind it. Errors are problem+json (RFC 9457).',
    )
    .setVersion(VERSION)
    .setOpenAPIVersion('3.1.0')
    .addServer(resources.settings.publicUrl)
    .addSecurity('apiKey', { type: 'http', scheme: 'bearer', bearerFormat: 'lh_<env>_<id>_<secret>' })
    .build();
  const document = SwaggerModule.createDocument(app, base);
  const schemas = componentSchemas(resources.definitions.values());
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, ...schemas },
  };
  return document;
}

/** Serves both, with the page's assets from this machine. */
export function serveOpenApi(app: NestFastifyApplication, resources: ApiResources): void {
  SwaggerModule.setup('docs', app, buildDocument(app, resources), {
    jsonDocumentUrl: '/openapi.json',
    raw: ['json'],
    customSiteTitle: 'Longhaul API',
  });
}
