import type { Finding } from './examination.js';
import type { Diagnosis } from './examine.js';

/** A diagnosis for people: each finding with its mend, and what it comes to. */
export function diagnosisText({ checks, faults, warnings, findings }: Diagnosis): string {
  const sum = `${counted(faults, 'fault')} and ${counted(warnings, 'warning')} in ${checks} checks`;
  return [...findings.map(findingText), findings.length === 0 ? `Nothing is wrong: ${checks} checks.` : `${sum}.`].join(
    '\n',
  );
}

/** What is wrong, and what mends it, with an empty line behind. */
export function findingText({ severity, code, what, mend }: Finding): string {
  return `${severity === 'fault' ? 'FAULT  ' : 'warning'}  ${code}\n  ${what}\n  ${mend}\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
