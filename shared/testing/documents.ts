import { Validator } from '@seriousme/openapi-schema-validator';
import type { Api } from '@tideline/shared/http/api';
import { openApiDocuments } from '@tideline/shared/http/openapi';

interface RouterLayer {
  route?: { path: string; methods: Record<string, boolean> };
}

/** `get /v1/users/{id}`: every route that a service's router serves. */
export function servedRoutes({ router }: Api): string[] {
  return (router.stack as unknown as RouterLayer[])
    .flatMap(({ route }) => Object.keys(route?.methods ?? {}).map((method) => `${method} ${route?.path ?? ''}`))
    .map((route) => route.replace(/:(\w+)/g, '{$1}'))
    .sort();
}

/** Every route that a document describes, and what is wrong with each version of the document itself. */
export async function describedRoutes(api: Api): Promise<{ routes: string[]; faults: unknown[] }> {
  const documents = openApiDocuments(api.operations, { title: 'test', description: 'test' });
  const faults: unknown[] = [];
  for (const document of Object.values(documents)) {
    const { valid, errors } = await new Validator().validate(structuredClone(document) as Record<string, unknown>);
    if (!valid) {
      faults.push(errors);
    }
  }
  const { paths } = documents['openapi.json'] as { paths: Record<string, object> };
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  );
  return { routes: routes.sort(), faults };
}
