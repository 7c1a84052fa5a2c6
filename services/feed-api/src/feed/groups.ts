import type { Activity } from '@tideline/shared/activity';
import { type AggregationRule, type AggregationRules, otherVerbs } from '@tideline/shared/aggregation-rules';

/** Activities that are shown as one item (C6): of one verb, about the same, in one window of the clock. */
export interface Group {
  /** The newest of them: the item stands where it stands, and says what it says. */
  head: Activity;
  /** How many were read. */
  count: number;
  /** Who did them, who did it last first. */
  actorIds: Set<string>;
  /** Whether all that were read are for everybody. */
  isPublic: boolean;
  /** False where there may be more than were read. */
  isWhole: boolean;
  /** Where the page begins that follows. */
  end: GroupEdge;
}

/** A place between two groups: everything at or above `below` is in groups that were shown. */
export interface GroupEdge {
  below: string;
  /** Those of them whose window is not over there, by `groupName`; undefined: that has to be found out. */
  shown: ReadonlySet<string> | undefined;
}

export function groupOf(head: Activity): Group {
  return {
    head,
    count: 1,
    actorIds: new Set([head.actorId]),
    isPublic: head.to === undefined,
    isWhole: false,
    end: { below: head.id, shown: undefined },
  };
}

/** Adds one that is older than all that the group has. */
export function addToGroup(group: Group, activity: Activity): void {
  group.count += 1;
  group.actorIds.add(activity.actorId);
  group.isPublic &&= activity.to === undefined;
}

/** Which activities belong together, and when. */
export class Grouping {
  readonly rules: AggregationRules;
  readonly #windowsMs: readonly number[];

  constructor(rules: AggregationRules) {
    this.rules = rules;
    this.#windowsMs = [...new Set([...rules.values()].flatMap((rule) => rule?.windowMs ?? []))];
  }

  /** The same for all activities of a group and for no other. `storage/group-heads.ts` says the same in SQL. */
  keyOf(activity: Activity): string {
    const rule = this.#ruleFor(activity);
    return rule === null
      ? activity.id
      : JSON.stringify([activity.verb, ...subjectOf(activity, rule), windowStart(activity.timestamp, rule.windowMs)]);
  }

  /** Unix milliseconds before which nothing belongs to the activity's group; for one that stands alone nothing does. */
  startOf(activity: Activity): number {
    const rule = this.#ruleFor(activity);
    return rule === null ? Number.POSITIVE_INFINITY : windowStart(activity.timestamp, rule.windowMs);
  }

  /** The longest time around `timestamp` in which a group can lie that has something then: Unix milliseconds. */
  reachOf(timestamp: number): { start: number; end: number } {
    const starts = this.#windowsMs.map((windowMs) => windowStart(timestamp, windowMs));
    const ends = this.#windowsMs.map((windowMs, i) => (starts[i] ?? timestamp) + windowMs);
    return { start: Math.min(timestamp, ...starts), end: Math.max(timestamp + 1, ...ends) };
  }

  #ruleFor({ verb, targetId }: Activity): AggregationRule | null {
    const own = this.rules.get(verb);
    const rule = own === undefined ? (this.rules.get(otherVerbs) ?? null) : own;
    // What has no target stands alone.
    return rule?.by === 'target' && targetId === undefined ? null : rule;
  }
}

function subjectOf({ objectType, objectId, targetType, targetId, actorId }: Activity, { by }: AggregationRule) {
  switch (by) {
    case 'object':
      return [objectType, objectId];
    case 'target':
      return [targetType, targetId];
    case 'actor':
      return [actorId];
  }
}

function windowStart(timestamp: number, windowMs: number): number {
  return timestamp - (timestamp % windowMs);
}
