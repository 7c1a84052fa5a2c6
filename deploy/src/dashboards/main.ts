import { writeFile } from 'node:fs/promises';
import { inCheckout } from '../servers/checkout.js';
import { dashboardFile, tidelineDashboardJson } from './tideline-dashboard.js';

await writeFile(inCheckout(dashboardFile), tidelineDashboardJson());
console.log(`wrote ${dashboardFile}`);
