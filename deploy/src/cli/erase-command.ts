import { createInterface } from 'node:readline/promises';
import { userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import { type Command, Option } from 'commander';
import { type EraseReport, eraseUser } from '../erase/erase-user.js';
import { erasureText } from '../erase/erasure-text.js';
import { showProgress } from '../import/progress.js';
import { readVerifyConfig } from '../verify/config.js';
import { addExamples } from './examples.js';
import { exitStatus } from './exit-status.js';
import { listenForStop } from './stop-requests.js';
import { wholeNumber } from './whole-number.js';

const waitDefaultS = 60;
const waitMaxS = 86_400;
const reasonLengthMax = 1_000;

interface EraseOptions {
  yes: boolean;
  reason?: string;
  wait: number;
  json: boolean;
}

export function addEraseCommand(program: Command): void {
  const command = program
    .command('erase')
    .argument('<user>', 'the id of the user')
    .summary('take everything of a user away, for good')
    .description(
      'take everything of a user out of TimescaleDB, Redis and all answers, while the system runs. It cannot be undone, and a ' +
        'replay does not bring the user back. See to it first that nobody writes for the user any more: what is accepted later ' +
        'is of somebody new with the same id. Kafka keeps records for as long as it is set to; how long is said. Needs ' +
        'TIDELINE_DATABASE_URL, TIDELINE_REDIS_URL, TIDELINE_KAFKA_BROKERS and TIDELINE_NAMESPACE.',
    )
    .option('--yes', 'do not ask', false)
    .option('--reason <text>', 'why, for whoever reads the audit; without the id', reasonOf)
    .addOption(
      new Option('--wait <seconds>', 'how long fanout may take to be done with what is on the log')
        .default(waitDefaultS)
        .argParser(wholeNumber('--wait', 0, waitMaxS)),
    )
    .option('--json', 'the report as JSON', false);
  addExamples(command, {
    'erase anna --reason "request 4711"': 'asks first, then erases',
    'erase anna --yes --json': 'for scripts',
  }).action(async (user: string, { yes, reason, wait, json }: EraseOptions) => {
    const userId = userIdOf(user);
    if (reason?.includes(userId)) {
      throw new TidelineError('configuration', '--reason is kept: it must not name the user.');
    }
    if (!yes) {
      await confirm(userId);
    }
    const report = await eraseWithProgress(userId, reason, wait * 1_000);
    console.log(json ? JSON.stringify(report, undefined, 2) : erasureText(report));
    process.exitCode = report.isDone ? exitStatus.done : exitStatus.undecided;
  });
}

function userIdOf(text: string): string {
  if (!userIdSchema.safeParse(text).success) {
    throw new TidelineError('configuration', 'Users are named by 1 to 64 of A-Z a-z 0-9 _ . : -');
  }
  return text;
}

function reasonOf(text: string): string {
  if (text.length > reasonLengthMax) {
    throw new TidelineError('configuration', `--reason takes at most ${reasonLengthMax} characters.`);
  }
  return text;
}

async function confirm(userId: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new TidelineError('configuration', 'An erasure cannot be undone. Nobody can be asked here: give --yes.');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const typed = await terminal.question(`Everything of ${userId} will be gone for good. Type the id to go on: `);
    if (typed.trim() !== userId) {
      throw new TidelineError('configuration', 'That is not the id: nothing was done.');
    }
  } finally {
    terminal.close();
  }
}

async function eraseWithProgress(userId: string, reason: string | undefined, patienceMs: number): Promise<EraseReport> {
  let progress: ReturnType<typeof showProgress> | undefined;
  try {
    return await eraseUser({
      config: readVerifyConfig(),
      userId,
      reason,
      patienceMs,
      signal: listenForStop().stop,
      onWait: (sentence) => (progress === undefined ? console.error(sentence) : progress.say(sentence)),
      onStep: (_step, done, total) => {
        progress ??= showProgress('steps', total, 0);
        progress.update(done);
      },
    });
  } finally {
    progress?.stop();
  }
}
