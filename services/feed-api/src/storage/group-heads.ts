import { type Activity, activityLimits } from '@tideline/shared/activity';
import { highestActivityId, timestampOf } from '@tideline/shared/activity-id';
import { weekMs, weekOf } from '@tideline/shared/activity-weeks';
import { type AggregationRule, type AggregationRules, otherVerbs } from '@tideline/shared/aggregation-rules';
import { type ActivityRow, activityColumns, activityFromRow } from './activity-columns.js';
import type { SqlScope } from './sql-scope.js';
import { type ActiveWeeks, activeRuns, type Stretch } from './time-windows.js';

/** A feed as one plain query for `$<reader>`, without order: all from `$<lower>` to before `$<upper>`, below `$<until>`. */
export interface PlainFeed {
  reader: string;
  /** `columns`: of `activities a`. */
  betweenSql(columns: string): string;
  /** When there may be something in it. */
  activeWeeks(sql: SqlScope): ActiveWeeks;
}

const columns = `a.id, a.actor_id, a.verb, a.object_type, a.object_id, a.object_title, a.target_type, a.target_id,
  a.target_title, a.audience, a.metadata`;

/** Windows of all rules begin and end where days do. */
const dayMs = 86_400_000;
/** All there is in a stretch of time is read, so the first ones are short. */
const firstDays = [1, 1, 2, 4];
const weeksPerLookup = 8;

/**
 * The newest activities of groups, as if nothing were at or above `until`: those below `from`, from the top, or those
 * above it, from the lowest up. All there is in a stretch of time is looked at, in the database.
 */
export async function groupHeads(
  sql: SqlScope,
  feed: PlainFeed,
  rules: AggregationRules,
  { direction, from, until, limit }: Stretch & { until: string },
): Promise<Activity[]> {
  const key = groupKeySql(rules);
  const order = direction === 'older' ? 'desc' : 'asc';
  const headsSql = `
    select ${activityColumns}
    from (select distinct on (${key}) a.* from (${feed.betweenSql(columns)}) a order by ${key}, a.id desc) a
    where a.id ${direction === 'older' ? '<' : '>'} $<from>
    order by a.id ${order}
    limit $<limit>`;
  const rows: ActivityRow[] = [];
  for await (const days of daysFrom(direction, from, feed.activeWeeks(sql))) {
    const values = { reader: feed.reader, ...days, from, until, limit: limit - rows.length };
    rows.push(...(await sql.any<ActivityRow>(headsSql, values)));
    if (rows.length === limit) {
      break;
    }
  }
  return rows.map(activityFromRow);
}

/** `Grouping.keyOf` in SQL. Verbs and numbers of rules were checked when the setting was read. */
function groupKeySql(rules: AggregationRules): string {
  const others = keySql(rules.get(otherVerbs) ?? null);
  const own = [...rules].filter(([verb]) => verb !== otherVerbs);
  const cases = own.map(([verb, rule]) => `when '${verb}' then ${keySql(rule)}`);
  return cases.length === 0 ? others : `(case a.verb ${cases.join(' ')} else ${others} end)`;
}

const aloneSql = 'array[a.id::text]';
const subjectsSql = {
  object: 'a.object_type, a.object_id',
  target: 'a.target_type, a.target_id',
  actor: 'a.actor_id',
};

function keySql(rule: AggregationRule | null): string {
  if (rule === null) {
    return aloneSql;
  }
  const window = `floor(extract(epoch from activity_time(a.id)) * 1000 / ${rule.windowMs})::text`;
  const key = `array[a.verb, ${subjectsSql[rule.by]}, ${window}]`;
  return rule.by === 'target' ? `case when a.target_id is null then ${aloneSql} else ${key} end` : key;
}

interface Days {
  lower: Date;
  upper: Date;
}

/** The day that an id is in, some more days below or above it, and then the weeks in which there may be something. */
async function* daysFrom(direction: Stretch['direction'], id: string, activeWeeks: ActiveWeeks): AsyncGenerator<Days> {
  const isOlder = direction === 'older';
  const nearMs = id === highestActivityId ? Date.now() + activityLimits.futureSkewMaxMs : timestampOf(id);
  let edgeMs = nearMs - (nearMs % dayMs) + (isOlder ? dayMs : 0);
  for (const days of firstDays) {
    const farMs = edgeMs + (isOlder ? -days : days) * dayMs;
    yield daysBetween(edgeMs, farMs);
    edgeMs = farMs;
  }
  const nextWeek = weekOf(isOlder ? edgeMs - 1 : edgeMs);
  for await (const { first, last } of activeRuns(direction, nextWeek, activeWeeks, weeksPerLookup)) {
    const [lowerMs, upperMs] = [first * weekMs, (last + 1) * weekMs];
    yield isOlder ? daysBetween(lowerMs, Math.min(upperMs, edgeMs)) : daysBetween(Math.max(lowerMs, edgeMs), upperMs);
  }
}

function daysBetween(oneMs: number, otherMs: number): Days {
  return { lower: new Date(Math.min(oneMs, otherMs)), upper: new Date(Math.max(oneMs, otherMs)) };
}
