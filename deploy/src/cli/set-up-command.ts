import { userIdSchema } from '@tideline/shared/activity';
import { TidelineError } from '@tideline/shared/errors';
import { type Command, Option } from 'commander';
import { findingText } from '../doctor/diagnosis-text.js';
import { examineRedis } from '../doctor/examine.js';
import { readSetUpConfig, type SetUpConfig } from '../setup/config.js';
import { connectToDatabase } from '../setup/database-client.js';
import { addSampleSource, sampleSourceText } from '../setup/sample-source.js';
import { setUp } from '../setup/set-up.js';
import { addExamples } from './examples.js';
import { exitStatus } from './exit-status.js';

interface SetUpOptions {
  sampleSource?: string;
}

export function addSetUpCommand(program: Command): void {
  const command = program
    .command('setup')
    .alias('set-up')
    .summary('create or upgrade what the services need')
    .description(
      'create or upgrade what the services need: database, schema, roles, topics, and with --sample-source a producer; and ' +
        'look whether Redis is as it has to be. Safe to repeat: what is there stays.',
    )
    .addOption(
      new Option(
        '--sample-source <name>',
        'also make a service of this name that may write, and print its key',
      ).argParser(serviceName),
    );
  addExamples(command, {
    setup: 'before the first start, and before that of a new version',
    'setup --sample-source shop': 'and a first producer, with a line to paste that posts',
    'setup && npx tideline doctor --no-services': 'and then look at everything',
  }).action(async ({ sampleSource }: SetUpOptions) => {
    const config = readSetUpConfig();
    await setUp(config, (line) => console.log(line));
    if (sampleSource !== undefined) {
      console.log(await makeSource(config, sampleSource));
    }
    process.exitCode = await lookAtRedis(config.redisUrl);
  });
}

async function makeSource({ databaseUrl }: SetUpConfig, name: string): Promise<string> {
  const client = await connectToDatabase(databaseUrl, { role: 'tideline_operator', applicationName: 'tideline-setup' });
  try {
    return sampleSourceText(await addSampleSource(client, name));
  } finally {
    await client.end();
  }
}

/** Feeds do without Redis, so all else is done by now; but what is wrong with it is wrong. */
async function lookAtRedis(redisUrl: string): Promise<number> {
  const { faults, findings } = await examineRedis(redisUrl);
  console.log(findings.length === 0 ? 'set up: everything is there' : 'set up, but for Redis:');
  for (const finding of findings) {
    console.error(findingText(finding));
  }
  if (findings.some(({ code }) => code === 'redis_unreachable')) {
    return exitStatus.unavailable;
  }
  return faults === 0 ? exitStatus.done : exitStatus.failed;
}

function serviceName(text: string): string {
  if (!userIdSchema.safeParse(text).success) {
    throw new TidelineError('configuration', `"${text}" names no service: 1 to 64 of A-Z a-z 0-9 _ . : -`);
  }
  return text;
}
