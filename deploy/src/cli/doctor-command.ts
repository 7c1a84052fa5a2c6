import { type Command, Option } from 'commander';
import { diagnosisText } from '../doctor/diagnosis-text.js';
import { examine } from '../doctor/examine.js';
import { readSetUpConfig } from '../setup/config.js';
import { addExamples } from './examples.js';
import { exitStatus } from './exit-status.js';
import { httpUrl } from './target-options.js';
import { wholeNumber } from './whole-number.js';

/** Longer than it takes until the partitions of a process that was killed have another one. */
const waitDefaultS = 15;
const waitMaxS = 3_600;

interface DoctorOptions {
  service: string[];
  services: boolean;
  wait: number;
  json: boolean;
}

export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .summary('look for faults in database, Redis, Kafka and services')
    .description(
      'look at everything that Tideline needs of its servers, while the system runs or not, and name each fault with what ' +
        'mends it. Changes nothing. Takes the same settings as `setup`. Warnings alone are no failure.',
    )
    .addOption(
      new Option('--service <url>', 'the operations port of a service, which has to be ready; several are possible')
        .default([], 'none')
        .argParser((text, before: string[]) => [...before, httpUrl(text)]),
    )
    .option('--no-services', 'the services are stopped, so what they would do is not looked at')
    .addOption(
      new Option('--wait <seconds>', 'how long fanout may take to move, where something waits')
        .default(waitDefaultS)
        .argParser(wholeNumber('--wait', 0, waitMaxS)),
    )
    .option('--json', 'the findings as JSON', false);
  addExamples(command, {
    doctor: 'a system that runs',
    'doctor --service http://127.0.0.1:9081 --service http://127.0.0.1:9080': 'ask ingest and feed-api, too',
    'setup && npx tideline doctor --no-services': 'before the services are started',
  }).action(async ({ service, services, wait, json }: DoctorOptions) => {
    const diagnosis = await examine({
      config: readSetUpConfig(),
      services,
      operationsUrls: service,
      patienceMs: wait * 1_000,
    });
    console.log(json ? JSON.stringify(diagnosis, undefined, 2) : diagnosisText(diagnosis));
    process.exitCode = diagnosis.faults === 0 ? exitStatus.done : exitStatus.failed;
  });
}
