import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { acceptanceRow } from './acceptance-row.js';
import { deliveryRow } from './delivery-row.js';
import { healthRow } from './health-row.js';
import { httpRow } from './http-row.js';
import { processRow } from './process-row.js';
import { readsRow } from './reads-row.js';
import { streamsRow } from './streams-row.js';

/** Where it is kept, from the root of the checkout. */
export const dashboardFile = 'deploy/grafana/dashboards/tideline.json';

/**
 * The dashboard "Tideline": its health on the first screen, then the stages of the pipeline in the order that an activity
 * takes. In Grafana's classic schema, which every version reads that can be met.
 */
export function tidelineDashboard(): Dashboard {
  const builder = new DashboardBuilder('Tideline')
    .uid('tideline')
    .description(
      'Is it healthy, and where does it hurt? Built by deploy/src/dashboards; changes made here are not kept.',
    )
    .tags(['tideline'])
    .time({ from: 'now-30m', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  const rows = [healthRow(), httpRow(), acceptanceRow(), deliveryRow(), readsRow(), streamsRow(), processRow()];
  for (const { title, panels } of rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) {
      builder.withPanel(panel);
    }
  }
  const dashboard = builder.build();
  // Links to a panel name it by this number.
  dashboard.panels?.forEach((panel, index) => {
    panel.id = index + 1;
  });
  return dashboard;
}

/** As the file has it. */
export function tidelineDashboardJson(): string {
  return `${JSON.stringify(tidelineDashboard(), undefined, 2)}\n`;
}
