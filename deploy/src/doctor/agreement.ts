import { type AgreedSettings, agreedSettings } from '@tideline/shared/agreed-settings';
import type pg from 'pg';
import { type Examination, fault } from './examination.js';

/** Whether what services have to agree about is what they would be started with here. */
export async function examineAgreement(
  database: pg.Client,
  settings: AgreedSettings,
  examination: Examination,
): Promise<void> {
  const { rows } = await database.query<{ variable: string; value: string }>(
    'select variable, value from agreed_settings',
  );
  const recorded = new Map(rows.map(({ variable, value }) => [variable, value]));
  for (const { variable, value } of agreedSettings(settings)) {
    examination.check(
      recorded.get(variable) === value,
      fault(
        'agreed_setting',
        `${variable} is ${value} here, and was set up as ${recorded.get(variable) ?? 'nothing'}: no service starts like this.`,
        `Set ${variable} to what was set up, or run \`npx tideline setup\` with the new value and start the services anew.`,
      ),
    );
  }
}
