import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/**
 * The document of a running service, as the contract that its answers are held against: an answer that is not
 * documented, or not as documented, is a failure of the test that got it.
 */
export class Contract {
  readonly #document: OpenApiDocument;
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(document, 'document');
  }

  /** Throws where the answer is not one that the document describes. */
  check(method: string, path: string, answer: { status: number; contentType: string | null; body: unknown }): void {
    const template = this.#templateOf(path);
    if (template === undefined) {
      this.#checkUnknownRoute(path, answer.status);
      return;
    }
    const operation = this.#document.paths[template]?.[method.toLowerCase()];
    if (operation === undefined) {
      this.#checkUnknownRoute(path, answer.status);
      return;
    }
    const response = operation.responses[answer.status];
    const what = `${method} ${template}: ${answer.status}`;
    if (response === undefined) {
      throw new Error(`${what} is not documented: ${JSON.stringify(answer.body)}`);
    }
    if (answer.body === undefined) {
      return;
    }
    const [type = ''] = (answer.contentType ?? '').split(';');
    if (response.content?.[type] === undefined) {
      throw new Error(`${what} is not documented as ${type}`);
    }
    const pointer = ['paths', template, method.toLowerCase(), 'responses', answer.status, 'content', type, 'schema'];
    const validator = this.#validatorAt(pointer.map(String));
    if (typeof answer.body !== 'string' && !validator(answer.body)) {
      throw new Error(
        `${what} is not as documented: ${this.#ajv.errorsText(validator.errors)}\n${JSON.stringify(answer.body)}`,
      );
    }
  }

  /** What is no route of the document has errors only, and none that says it worked. */
  #checkUnknownRoute(path: string, status: number): void {
    if (status < 400) {
      throw new Error(`${path} is not documented, but answered ${status}`);
    }
  }

  #templateOf(path: string): string | undefined {
    const [plain = ''] = path.split('?');
    const matches = (template: string) =>
      new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(plain);
    const templates = Object.keys(this.#document.paths).filter(matches);
    // `/v1/feeds/home` also looks like `/v1/feeds/{name}`: the more literal one is meant.
    return templates.sort((a, b) => a.split('{').length - b.split('{').length)[0];
  }

  #validatorAt(pointer: readonly string[]): ValidateFunction {
    const reference = `document#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    const known = this.#validators.get(reference);
    const validator = known ?? this.#ajv.compile({ $ref: reference });
    this.#validators.set(reference, validator);
    return validator;
  }
}

/** What a running service says that its answers are. */
export async function readContract(origin: string): Promise<Contract> {
  const response = await fetch(`${origin}/openapi.json`);
  return new Contract((await response.json()) as OpenApiDocument);
}

interface OpenApiDocument {
  paths: Record<string, Record<string, OpenApiOperation>>;
}

interface OpenApiOperation {
  responses: Record<string, { content?: Record<string, unknown> }>;
}
