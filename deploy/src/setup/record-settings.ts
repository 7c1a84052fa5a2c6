import { type AgreedSettings, agreedSettings } from '@tideline/shared/agreed-settings';
import type pg from 'pg';
import type { Report } from './report.js';

const recordSetting = `
  with before as (select value from agreed_settings where variable = $1)
  insert into agreed_settings (variable, value) values ($1, $2)
  on conflict (variable) do update set value = excluded.value where agreed_settings.value <> excluded.value
  returning (select value from before) as before`;

/** Records what the services have to agree about; a change is for those that start from now on. */
export async function recordSettings(client: pg.Client, settings: AgreedSettings, report: Report): Promise<void> {
  for (const { variable, value } of agreedSettings(settings)) {
    const { rows } = await client.query<{ before: string | null }>(recordSetting, [variable, value]);
    const before = rows[0]?.before;
    if (typeof before === 'string') {
      report(`${variable}: ${value} from now on, ${before} before; restart the services with it`);
    }
  }
}
