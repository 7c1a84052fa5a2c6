import { z } from 'zod';

/** What makes activities of one verb a group: what they are about, and the window of the clock (UTC) that they are in. */
export interface AggregationRule {
  by: 'object' | 'target' | 'actor';
  windowMs: number;
}

/** By verb, and under `otherVerbs` for those that have no rule of their own; null: each activity stands alone. */
export type AggregationRules = ReadonlyMap<string, AggregationRule | null>;

export const otherVerbs = '*';
/** As requirement C6 says it. */
export const aggregationDefault = '*=object/1';
const hourMs = 3_600_000;
const rulesMax = 100;
/** `verb=by/hours`: hours that divide a day, so that windows begin and end where days do. */
const rulePattern =
  /^(?<verb>\*|[a-z][a-z0-9_-]{0,31})=(?:none|(?<by>object|target|actor)\/(?<hours>1|2|3|4|6|8|12|24))$/;

/** The setting, as all processes agree on it (C6): such as `like=object/1,comment=none,*=object/1`. */
export const aggregationSchema = z.string().superRefine((text, context) => {
  const rules = text.split(',');
  const wrong = rules.filter((rule) => !rulePattern.test(rule));
  for (const rule of wrong) {
    context.addIssue(`"${rule}" is not verb=none or verb=object|target|actor/hours, with hours that divide a day`);
  }
  if (wrong.length === 0 && (new Set(rules.map(verbOf)).size < rules.length || !rules.some(isForOthers))) {
    context.addIssue('must have one rule for each verb that it names, and one for *');
  }
  if (rules.length > rulesMax) {
    context.addIssue(`must be at most ${rulesMax} rules`);
  }
});

/** Rules of a setting that the schema accepted. */
export function parseAggregationRules(text: string): AggregationRules {
  return new Map(
    text.split(',').map((rule) => {
      const { verb = '', by, hours } = rulePattern.exec(rule)?.groups ?? {};
      return [verb, by === undefined ? null : { by: by as AggregationRule['by'], windowMs: Number(hours) * hourMs }];
    }),
  );
}

function verbOf(rule: string): string {
  return rule.slice(0, rule.indexOf('='));
}

function isForOthers(rule: string): boolean {
  return verbOf(rule) === otherVerbs;
}
