import { TidelineError } from '@tideline/shared/errors';
import { allUsers, countUsers, isKnown, randomUsers } from '@tideline/shared/verify/readers';
import { dropWrong } from '@tideline/shared/verify/repair';
import {
  Patience,
  type ReaderDifferences,
  readersPerLookMax,
  type Verification,
  type VerifyTools,
  verifyReaders,
} from '@tideline/shared/verify/verify-readers';

/** Everybody, one, or so many chosen at random. */
export type ReaderChoice = { all: true } | { reader: string } | { sample: number };

export interface VerifyReport extends Verification {
  /** Readers whose lists were dropped, and what differed there. Present where it was asked for. */
  repaired?: ReaderDifferences[];
}

export interface VerifyOptions {
  repair: boolean;
  /** How long fanout may take to deliver what is on the log. */
  patienceMs: number;
  onStart(readers: number): void;
  onProgress(readers: number): void;
}

/**
 * Compares the readers' feeds in Redis with the database. With `repair` those that differ are dropped and compared again:
 * `different` then has what still differs. Throws `configuration` for a reader that does not exist.
 */
export async function verifyFeeds(
  tools: VerifyTools,
  choice: ReaderChoice,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const patience = new Patience(options.patienceMs);
  const report: VerifyReport = { readers: 0, inboxes: 0, outboxes: 0, notifications: 0, different: [], undecided: [] };
  options.onStart(await countOf(tools, choice));
  for await (const group of groupsOf(tools, choice)) {
    const verified = await verifyReaders(tools, group, patience);
    add(report, verified);
    options.onProgress(report.readers);
  }
  return options.repair ? repair(tools, report, patience) : report;
}

async function repair(tools: VerifyTools, report: VerifyReport, patience: Patience): Promise<VerifyReport> {
  const repaired = report.different;
  const after: VerifyReport = { ...report, different: [], repaired };
  for (let start = 0; start < repaired.length; start += readersPerLookMax) {
    const group = repaired.slice(start, start + readersPerLookMax);
    await dropWrong(tools.cache, group);
    const { different, undecided, undecidedBecause } = await verifyReaders(
      tools,
      group.map(({ reader }) => reader),
      patience,
    );
    add(after, {
      readers: 0,
      inboxes: 0,
      outboxes: 0,
      notifications: 0,
      different,
      undecided,
      ...(undecidedBecause !== undefined && { undecidedBecause }),
    });
  }
  return after;
}

function add(report: VerifyReport, verified: Verification): void {
  report.readers += verified.readers;
  report.inboxes += verified.inboxes;
  report.outboxes += verified.outboxes;
  report.notifications += verified.notifications;
  report.different.push(...verified.different);
  report.undecided.push(...verified.undecided);
  if (verified.undecidedBecause !== undefined) {
    report.undecidedBecause = verified.undecidedBecause;
  }
}

async function countOf({ database }: VerifyTools, choice: ReaderChoice): Promise<number> {
  if ('reader' in choice) {
    return 1;
  }
  const users = await countUsers(database);
  return 'all' in choice ? users : Math.min(users, choice.sample);
}

async function* groupsOf({ database }: VerifyTools, choice: ReaderChoice): AsyncGenerator<string[]> {
  if ('all' in choice) {
    yield* allUsers(database, readersPerLookMax);
  } else if ('reader' in choice) {
    if (!(await isKnown(database, choice.reader))) {
      throw new TidelineError('configuration', `There is no user "${choice.reader}".`);
    }
    yield [choice.reader];
  } else {
    const users = await randomUsers(database, choice.sample);
    for (let start = 0; start < users.length; start += readersPerLookMax) {
      yield users.slice(start, start + readersPerLookMax);
    }
  }
}
