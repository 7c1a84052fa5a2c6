import { TidelineError } from '@tideline/shared/errors';
import { isOpen, type LetterDecision, readDecisions } from './decisions.js';
import type { Letter } from './letter.js';
import type { LetterTools } from './letter-tools.js';
import { readLetters } from './read-letters.js';

/** A letter and what was decided about it. */
export interface KnownLetter extends Letter {
  decision: LetterDecision;
}

/** Which letters are meant. */
export interface LetterChoice {
  /** Those given up at this stage; undefined: at any. */
  stage: string | undefined;
  /** Decided ones, too. */
  decided: boolean;
}

export interface LetterList {
  /** How many the choice has, of how many there are. */
  chosen: number;
  total: number;
  byStage: Record<string, number>;
  /** The newest of them, the newest first. */
  letters: KnownLetter[];
}

/** The letters of a choice. Throws `unavailable`. */
export async function listLetters(tools: LetterTools, choice: LetterChoice, limit: number): Promise<LetterList> {
  const list: LetterList = { chosen: 0, total: 0, byStage: {}, letters: [] };
  await readLetters(tools, undefined, async (letters) => {
    list.total += letters.length;
    const known = await withDecisions(tools, letters);
    for (const letter of known.filter((each) => isChosen(each, choice))) {
      list.chosen += 1;
      const stage = letter.stage ?? 'unknown';
      list.byStage[stage] = (list.byStage[stage] ?? 0) + 1;
      list.letters.push(letter);
    }
    // Of a million letters only so many are held at a time.
    list.letters = list.letters.slice(-limit);
  });
  list.letters.sort((a, b) => b.writtenAt - a.writtenAt || b.offset - a.offset);
  return list;
}

/** One letter. Throws `configuration` where there is none with this id. */
export async function findLetter(tools: LetterTools, id: string): Promise<KnownLetter> {
  let found: KnownLetter | undefined;
  await readLetters(tools, new Set([id]), async (letters) => {
    found ??= (await withDecisions(tools, letters))[0];
  });
  if (found === undefined) {
    throw new TidelineError('configuration', `There is no dead letter ${id} any more.`);
  }
  return found;
}

export async function withDecisions({ database }: LetterTools, letters: readonly Letter[]): Promise<KnownLetter[]> {
  const decisions = await readDecisions(database, letters);
  return letters.map((letter) => ({ ...letter, decision: decisions.get(letter.id) ?? { state: 'open' } }));
}

export function isChosen({ stage, decision }: KnownLetter, choice: LetterChoice): boolean {
  return (choice.decided || isOpen(decision)) && (choice.stage === undefined || stage === choice.stage);
}
