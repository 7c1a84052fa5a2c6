import { deadLetterStages } from '@tideline/shared/dead-letter-headers';
import { TidelineError } from '@tideline/shared/errors';
import { type Command, Option } from 'commander';
import {
  type Decided,
  type DecideOptions,
  discardLetters,
  type ReplayReport,
  replayLetters,
} from '../dead-letters/decide-letters.js';
import { type LetterTools, withLetterTools } from '../dead-letters/letter-tools.js';
import { letterText, letterWithValueJson, listJson, listText } from '../dead-letters/letters-text.js';
import { findLetter, listLetters } from '../dead-letters/list-letters.js';
import { countLetters } from '../dead-letters/read-letters.js';
import { showProgress } from '../import/progress.js';
import { readVerifyConfig } from '../verify/config.js';
import { addExamples } from './examples.js';
import { exitStatus } from './exit-status.js';
import { wholeNumber } from './whole-number.js';

const limitDefault = 50;
const limitMax = 100_000;
const waitDefaultS = 10;
const waitMaxS = 3_600;
const reasonLengthMax = 1_000;

interface ListOptions {
  decided: boolean;
  stage?: string;
  limit: number;
  json: boolean;
}

interface ChoiceOptions {
  all: boolean;
  stage?: string;
}

export function addDeadLettersCommand(program: Command): void {
  const command = program
    .command('dead-letters')
    .summary('look at records that were given up, replay or discard them')
    .description(
      'records that could not be read or applied. fanout puts them aside, on the dead-letter topic, where they stay until ' +
        'its retention ends. Needs TIDELINE_DATABASE_URL, TIDELINE_KAFKA_BROKERS and TIDELINE_NAMESPACE.',
    );
  addListCommand(command);
  addShowCommand(command);
  addReplayCommand(command);
  addDiscardCommand(command);
}

function addListCommand(parent: Command): void {
  const command = parent
    .command('list')
    .description('which letters are open: neither replayed nor discarded, or given up again')
    .option('--decided', 'also those that were replayed or discarded', false)
    .addOption(stageOption())
    .addOption(
      new Option('--limit <count>', 'show so many, the newest')
        .default(limitDefault)
        .argParser(wholeNumber('--limit', 1, limitMax)),
    )
    .option('--json', 'as JSON', false);
  addExamples(command, {
    'dead-letters list': 'the newest open ones, and how many there are by stage',
    'dead-letters list --stage version --json': 'those that a newer release wrote, for scripts',
  }).action(async ({ decided, stage, limit, json }: ListOptions) => {
    const list = await withTools((tools) => listLetters(tools, { stage, decided }, limit));
    console.log(json ? JSON.stringify(listJson(list), undefined, 2) : listText(list, decided));
  });
}

function addShowCommand(parent: Command): void {
  const command = parent
    .command('show')
    .argument('<letter>', 'as `list` names it', letterId)
    .description('all of a letter: the record, why it was given up, what was decided')
    .option('--json', 'as JSON', false);
  addExamples(command, { 'dead-letters show 0:17': 'the letter with that name' }).action(
    async (id: string, { json }: { json: boolean }) => {
      const letter = await withTools((tools) => findLetter(tools, id));
      console.log(json ? JSON.stringify(letterWithValueJson(letter), undefined, 2) : letterText(letter));
    },
  );
}

function addReplayCommand(parent: Command): void {
  const command = withChoice(parent.command('replay'))
    .description(
      'send records to fanout again, with the place on the log that they had: what came later still counts, so an old follow ' +
        'does not undo a newer unfollow. What was applied already changes nothing.',
    )
    .addOption(
      new Option('--wait <seconds>', 'how long fanout may take to get to them')
        .default(waitDefaultS)
        .argParser(wholeNumber('--wait', 0, waitMaxS)),
    );
  addExamples(command, {
    'dead-letters replay 0:17 0:18': 'two letters',
    'dead-letters replay --all --stage version': 'all that an older release could not read, after an upgrade',
  }).action(async (ids: string[], { wait, ...choice }: ChoiceOptions & { wait: number }) => {
    const which = chosen(ids, choice);
    const report = await withTools((tools) =>
      withProgress(tools, which, (progress) => replayLetters(tools, which, { ...progress, patienceMs: wait * 1_000 })),
    );
    console.log(replayText(report));
    process.exitCode = statusOf(report);
  });
}

function addDiscardCommand(parent: Command): void {
  const command = withChoice(parent.command('discard'))
    .description('write down that nothing is to become of letters, and why. They can still be replayed by name.')
    .requiredOption('--reason <text>', 'why, for whoever asks later');
  addExamples(command, {
    'dead-letters discard 0:17 --reason "a test of the shop"': 'one letter',
    'dead-letters discard --all --stage decode --reason "not ours"': 'all open ones of a stage',
  }).action(async (ids: string[], { reason, ...choice }: ChoiceOptions & { reason: string }) => {
    const which = chosen(ids, choice);
    if (reason.trim() === '' || reason.length > reasonLengthMax) {
      throw new TidelineError('configuration', `--reason: 1 to ${reasonLengthMax} characters.`);
    }
    const discarded = await withTools((tools) =>
      withProgress(tools, which, (progress) => discardLetters(tools, which, reason, progress)),
    );
    console.log(`Discarded ${lettersText(discarded)}.`);
  });
}

function withChoice(command: Command): Command {
  return command
    .argument('[letters...]', 'as `list` names them')
    .option('--all', 'all open ones', false)
    .addOption(stageOption());
}

function stageOption(): Option {
  return new Option('--stage <stage>', 'only those given up there').choices(deadLetterStages);
}

function chosen(ids: readonly string[], { all, stage }: ChoiceOptions): Decided {
  if (all === ids.length > 0) {
    throw new TidelineError('configuration', 'Name letters, or say --all.');
  }
  if (stage !== undefined && !all) {
    throw new TidelineError('configuration', '--stage goes with --all.');
  }
  return all ? { stage } : { ids: new Set(ids.map(letterId)) };
}

function letterId(text: string): string {
  if (!/^\d{1,9}:\d{1,15}$/.test(text)) {
    throw new TidelineError('configuration', `"${text}" names no letter: names are like 0:17.`);
  }
  return text;
}

async function withTools<T>(work: (tools: LetterTools) => Promise<T>): Promise<T> {
  return withLetterTools(readVerifyConfig(), work);
}

async function withProgress<T>(
  tools: LetterTools,
  which: Decided,
  work: (options: DecideOptions) => Promise<T>,
): Promise<T> {
  if ('ids' in which) {
    return work({ onProgress: () => undefined });
  }
  const progress = showProgress('letters', await countLetters(tools), 0);
  try {
    return await work({ onProgress: (letters) => progress.update(letters) });
  } finally {
    progress.stop();
  }
}

function replayText({ sent, applied, undecided, notReplayable }: ReplayReport): string {
  const left = sent - applied;
  const lines = [`Replayed ${lettersText(sent)}: ${applied} applied.`];
  if (left > 0) {
    lines.push(
      undecided
        ? `fanout has not got to ${left} of them in time; \`dead-letters list --decided\` shows what becomes of them.`
        : `${left} given up again: they are new letters, \`dead-letters list\` shows why.`,
    );
  }
  if (notReplayable.length > 0) {
    lines.push(
      `Not replayed, because they do not say where their record stood, or have not all of it: ${notReplayable.join(', ')}.`,
    );
  }
  return lines.join('\n');
}

function statusOf({ sent, applied, undecided, notReplayable }: ReplayReport): number {
  if (undecided) {
    return exitStatus.undecided;
  }
  return applied < sent || notReplayable.length > 0 ? exitStatus.failed : exitStatus.done;
}

function lettersText(count: number): string {
  return count === 1 ? '1 letter' : `${count} letters`;
}
