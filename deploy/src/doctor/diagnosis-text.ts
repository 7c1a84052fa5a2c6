import type { Diagnosis } from './examine.js';

/** A diagnosis for people: each finding with its mend, and what it comes to. */
export function diagnosisText({ checks, faults, warnings, findings }: Diagnosis): string {
  const lines = findings.flatMap(({ severity, code, what, mend }) => [
    `${severity === 'fault' ? 'FAULT  ' : 'warning'}  ${code}`,
    `  ${what}`,
    `  ${mend}`,
    '',
  ]);
  const sum = `${counted(faults, 'fault')} and ${counted(warnings, 'warning')} in ${checks} checks`;
  return [...lines, findings.length === 0 ? `Nothing is wrong: ${checks} checks.` : `${sum}.`].join('\n');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
