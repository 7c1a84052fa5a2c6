import { type Database, isUndefinedTable } from './database.js';
import { TidelineError } from './errors.js';

/**
 * Settings about which all processes of an installation have to agree: with two caps, what one process keeps another
 * trims; with two thresholds they would make the same author pushed and pulled in turn; with two sets of rules, groups
 * would change from page to page; with two retentions what one keeps another takes away.
 */
export interface AgreedSettings {
  inboxCap: number;
  followerThreshold: number;
  aggregation: string;
  /** 0: content is kept for ever. */
  retentionDays: number;
}

const variables: Record<keyof AgreedSettings, string> = {
  inboxCap: 'TIDELINE_INBOX_CAP',
  followerThreshold: 'TIDELINE_FOLLOWER_THRESHOLD',
  aggregation: 'TIDELINE_AGGREGATION',
  retentionDays: 'TIDELINE_RETENTION_DAYS',
};

export interface AgreedSetting {
  variable: string;
  value: string;
}

/** As they are stored. */
export function agreedSettings(settings: Partial<AgreedSettings>): AgreedSetting[] {
  return Object.entries(variables).flatMap(([name, variable]) => {
    const value = settings[name as keyof AgreedSettings];
    return value === undefined ? [] : [{ variable, value: String(value) }];
  });
}

/** Throws `configuration` where set-up recorded something else, or did not run. */
export async function requireAgreement(database: Database, settings: Partial<AgreedSettings>): Promise<void> {
  const rows = await database
    .any<AgreedSetting>('select variable, value from agreed_settings')
    .catch((error: unknown) => {
      if (isUndefinedTable(error)) {
        return [];
      }
      throw error;
    });
  const recorded = new Map(rows.map(({ variable, value }) => [variable, value]));
  const problems = agreedSettings(settings)
    .filter(({ variable, value }) => recorded.get(variable) !== value)
    .map(
      ({ variable, value }) => `${variable} is ${value} here, and ${recorded.get(variable) ?? 'unknown'} to the others`,
    );
  if (problems.length > 0) {
    throw new TidelineError(
      'configuration',
      `All processes have to agree: ${problems.join('; ')}. To change it for all, stop them, run "tideline setup" with the new value, and start them with it.`,
    );
  }
}
