import { setTimeout as delay } from 'node:timers/promises';
import { TidelineError, unavailable } from '@tideline/shared/errors';
import { type Checkpoint, checkpoint } from '../import/checkpoint.js';
import type { ImportTarget } from '../import/import-target.js';
import { showProgress } from '../import/progress.js';
import { Crowd } from './crowd.js';
import type { CrowdSettings } from './crowd-settings.js';
import { type Ledger, writeEntry } from './ledger.js';
import { type Phase, type PhaseName, phasesOf } from './phases.js';
import { reportCrowd, reportPhases, type SentPhase } from './report-crowd.js';

export interface SeedTarget extends ImportTarget {
  feedApiUrl: string;
  /** What the platform itself knows of a crowd. */
  readLedger(seed: number): Promise<Ledger | undefined>;
}

interface SeedState extends Ledger {
  /** How many of each phase are sent. */
  sent: Partial<Record<PhaseName, number>>;
}

/** Sends a crowd through the public door. Adds nothing twice; goes on where a run was stopped. */
export async function seedCrowd(settings: CrowdSettings, again: boolean, target: SeedTarget): Promise<void> {
  const file = checkpoint<SeedState>(target.stateFolder, `crowd ${settings.seed}`, target.ingestUrl);
  const state = (await knownState(file, settings.seed, target)) ?? (await begin(settings, target));
  requireSame(state.settings, settings);
  if (again) {
    state.sent = {};
    state.finished = false;
  }
  await file.write(state);
  const crowd = new Crowd(settings, state.until);
  if (state.finished) {
    target.report('All of it is there already: nothing was added.');
  } else {
    const phases: SentPhase[] = [];
    for (const phase of phasesOf(crowd)) {
      phases.push(await send(phase, state, file, target));
    }
    await writeEntry(target.ingest, 'finished', settings, state.until);
    await file.write({ ...state, finished: true });
    reportPhases(phases, target.report);
  }
  reportCrowd(crowd, target);
}

/** From the checkpoint where it is of this platform; else from the platform, which does not know how far a run got. */
async function knownState(
  file: Checkpoint<SeedState>,
  seed: number,
  target: SeedTarget,
): Promise<SeedState | undefined> {
  const state = await file.read();
  if (state !== undefined && (await target.hasActivity(state.beganId))) {
    return state;
  }
  const ledger = await target.readLedger(seed);
  if (ledger === undefined && state !== undefined) {
    target.report('What was sent before is not there any more: sending everything.');
  }
  if (ledger !== undefined && !ledger.finished) {
    target.report('This crowd was begun, and nobody noted here how far it got: sending everything once more.');
  }
  return ledger && { ...ledger, sent: {} };
}

const beganVisibleMaxMs = 60_000;
const beganPollMs = 200;

/**
 * Nothing is sent before the platform shows that the crowd was begun, and when: whoever comes later will find that, and
 * makes the same posts at the same times.
 */
async function begin(settings: CrowdSettings, target: SeedTarget): Promise<SeedState> {
  const until = Date.now();
  const beganId = await writeEntry(target.ingest, 'began', settings, until);
  const deadline = performance.now() + beganVisibleMaxMs;
  while ((await target.readLedger(settings.seed))?.beganId !== beganId) {
    if (performance.now() > deadline) {
      throw unavailable(
        `feed-api at ${target.feedApiUrl} does not show what was posted to ${target.ingestUrl}: does fanout run, and do the two belong together?`,
      );
    }
    await delay(beganPollMs, undefined, { signal: target.signal });
  }
  return { settings, until, beganId, finished: false, sent: {} };
}

function requireSame(there: CrowdSettings, wanted: CrowdSettings): void {
  const names = ['users', 'posts', 'likes', 'followsPerUser'] as const;
  if (names.some((name) => there[name] !== wanted[name])) {
    const sizes = names.map((name) => `${name} ${there[name]}`).join(', ');
    throw new TidelineError(
      'configuration',
      `This platform has a crowd of seed ${there.seed} of another size (${sizes}). Take another --seed, or that size.`,
    );
  }
}

async function send(
  phase: Phase,
  state: SeedState,
  file: Checkpoint<SeedState>,
  target: SeedTarget,
): Promise<SentPhase> {
  const { name, count } = phase;
  const before = state.sent[name] ?? 0;
  if (before > 0 && before < count) {
    target.report(`Going on after ${before} of ${count} ${name}.`);
  }
  const startedAt = performance.now();
  const progress = showProgress(name, count, before);
  try {
    for await (const done of phase.send(target.ingest, before)) {
      state.sent[name] = done;
      await file.write(state);
      progress.update(done);
      target.signal.throwIfAborted();
    }
  } finally {
    progress.stop();
  }
  return { name, count, sent: count - before, seconds: (performance.now() - startedAt) / 1000 };
}
