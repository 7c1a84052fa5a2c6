import { parseArgs } from 'node:util';

/** Reads `--name N` for each of these defaults. Throws on anything else, and for 0 where that is not the default. */
export function numberArguments<Name extends string>(defaults: Record<Name, number>): Record<Name, number> {
  const options = Object.fromEntries(
    Object.entries<number>(defaults).map(([name, value]) => [
      name,
      { type: 'string' as const, default: String(value) },
    ]),
  );
  const { values } = parseArgs({ options });
  return Object.fromEntries(
    Object.entries(values).map(([name, text]) => {
      const value = Number(text);
      if (!(value > 0 || (value === 0 && defaults[name as Name] === 0))) {
        throw new Error(`--${name} must be a number above 0`);
      }
      return [name, value];
    }),
  ) as Record<Name, number>;
}
