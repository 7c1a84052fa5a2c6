import { type Refusal, refusals } from '@tideline/shared/refusals';

/** What the database refused to services of this process, from now on. */
export interface RefusedStatements {
  /** Stops listening. Throws where something was refused: a migration forgot a grant. */
  expectNone(): void;
}

export function watchRefusals(databaseUrl: string): RefusedStatements {
  const database = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  const refused = new Set<string>();
  const listen = (message: unknown) => {
    const refusal = message as Refusal;
    if (refusal.database === database) {
      refused.add(`${refusal.role}: ${refusal.message}\n  ${refusal.query.trim().slice(0, shownLength)}`);
    }
  };
  refusals.subscribe(listen);
  return {
    expectNone() {
      refusals.unsubscribe(listen);
      if (refused.size > 0) {
        throw new Error(`The database refused what a service has to do:\n${[...refused].join('\n')}`);
      }
    },
  };
}

const shownLength = 300;
