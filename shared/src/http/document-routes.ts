import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import express, { type RequestHandler, Router } from 'express';
import type { Api } from './api.js';
import { type DocumentDescription, openApiDocuments } from './openapi.js';

/**
 * What a service says about itself to anybody, without a key: its OpenAPI document in both versions, and pages to browse
 * it, with every asset from here.
 */
export function documentRoutes(api: Api, description: DocumentDescription): Router {
  const router = Router({ caseSensitive: true, strict: true });
  for (const [name, document] of Object.entries(openApiDocuments(api.operations, description))) {
    const text = JSON.stringify(document);
    router.get(`/${name}`, (_request, response) => {
      response.type('application/json').send(text);
    });
  }
  router.get('/', (_request, response) => {
    response.redirect(302, '/docs/');
  });
  router.get('/docs', (_request, response) => {
    response.redirect(308, '/docs/');
  });
  router.get('/docs/', pagePolicy, (_request, response) => {
    response.type('text/html').send(page(description.title));
  });
  router.get('/docs/start.js', pagePolicy, (_request, response) => {
    response.type('text/javascript').send(startScript);
  });
  router.use('/docs', pagePolicy, express.static(assets, { index: false, redirect: false, maxAge: assetsMaxAgeMs }));
  return router;
}

const require = createRequire(import.meta.url);
const assets = dirname(require.resolve('swagger-ui-dist/package.json'));
const assetsMaxAgeMs = 3_600_000;

/** The pages load nothing from elsewhere and run no script but their own; their icons are data URLs. */
const pagePolicy: RequestHandler = (_request, response, next) => {
  response.set(
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  next();
};

function page(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="stylesheet" href="swagger-ui.css">
<link rel="icon" href="favicon-32x32.png">
</head>
<body>
<div id="document"></div>
<noscript>This page needs JavaScript. The document itself is at /openapi.json.</noscript>
<script src="swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
`;
}

const startScript = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#document',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
`;
