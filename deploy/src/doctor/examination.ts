/** A fault stops feeds, or makes them wrong or slow to trust; a warning may, some day. */
export type Severity = 'fault' | 'warning';

export interface Finding {
  severity: Severity;
  /** Stable, for scripts: what kind of thing is wrong. */
  code: string;
  /** A sentence that names what is wrong, and how it is. */
  what: string;
  /** A sentence that says what to do about it. */
  mend: string;
}

export function fault(code: string, what: string, mend: string): Finding {
  return { severity: 'fault', code, what, mend };
}

export function warning(code: string, what: string, mend: string): Finding {
  return { severity: 'warning', code, what, mend };
}

/** Counts what was looked at, and keeps what is wrong. */
export class Examination {
  readonly findings: Finding[] = [];
  #checks = 0;

  get checks(): number {
    return this.#checks;
  }

  /** One thing that was looked at; `finding` says what is wrong where it does not hold. */
  check(holds: boolean, finding: Finding): void {
    this.#checks += 1;
    if (!holds) {
      this.findings.push(finding);
    }
  }

  /** The same where several findings may come of one look, none of them where all is well. */
  checkAll(findings: readonly Finding[]): void {
    this.#checks += 1;
    this.findings.push(...findings);
  }
}
