import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';

const require = createRequire(import.meta.url);

/** What the official JSON schema of AsyncAPI 3.0 says is wrong with a document; nothing where it is valid. */
export function asyncApiFaults(document: unknown): unknown[] {
  const schema = JSON.parse(readFileSync(require.resolve('@asyncapi/specs/schemas/3.0.0.json'), 'utf8')) as object;
  // It brings the schema of JSON schemas with it, which Ajv would have, too.
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);
  return validate(document) ? [] : (validate.errors ?? []);
}

/** A check of values by the schema of a message in a document. Throws where there is no such message. */
export function payloadFaults(document: unknown, message: string, value: unknown): unknown[] {
  const { components } = document as { components: { messages: Record<string, { payload: object } | undefined> } };
  const schema = components.messages[message]?.payload;
  if (schema === undefined) {
    throw new Error(`the document has no message ${message}`);
  }
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);
  return validate(value) ? [] : (validate.errors ?? []);
}
