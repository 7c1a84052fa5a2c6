import {
  BigValueColorMode,
  BigValueGraphMode,
  type DataSourceRef,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  MappingType,
  SpecialValueMatch,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as SeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

export interface Query {
  expr: string;
  /** With Grafana's `{{label}}`. */
  legend: string;
}

/** Values from `value` on have this colour; those below the first step are green. */
export interface Step {
  value: number;
  color: 'orange' | 'red';
}

interface PanelOptions {
  title: string;
  /** What it shows and what to do about it: the text behind the panel's (i). */
  description: string;
  /** One of Grafana's units. */
  unit: string;
  /** In columns of which a line has 24. */
  width: number;
  queries: readonly Query[];
  /** Said in place of "No data". Queries that are never empty, whatever happens, need none. */
  whenEmpty?: string;
}

export interface StatOptions extends PanelOptions {
  steps: readonly Step[];
  /** The colour below the first step, where more is better. */
  lowColor?: 'green' | 'red';
}

export interface SeriesOptions extends PanelOptions {
  /** Drawn as lines across the panel. */
  steps?: readonly Step[];
  stacked?: boolean;
}

/** The variable `datasource` of the dashboard: whoever imports it elsewhere chooses theirs. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own way to name a variable
const datasource: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };
const statHeight = 5;
const seriesHeight = 8;
/** A quantile or an average of nothing is no number. */
const idleMapping: ValueMapping = {
  type: MappingType.SpecialValue,
  options: { match: SpecialValueMatch.NullAndNan, result: { text: 'idle', color: '#808080', index: 0 } },
};

/** One number that says by its colour whether it is all right. */
export function statPanel(options: StatOptions): StatBuilder {
  const panel = new StatBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(datasource)
    .unit(options.unit)
    .span(options.width)
    .height(statHeight)
    .thresholds(thresholds(options.steps, options.lowColor ?? 'green'))
    .mappings([idleMapping])
    .colorMode(BigValueColorMode.Background)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['last']))
    // Of this moment: the last value of a stretch of time may be of a process that has long gone.
    .targets(options.queries.map((query, index) => target(query, index).instant()));
  return options.whenEmpty === undefined ? panel : panel.noValue(options.whenEmpty);
}

/** Lines over time. */
export function seriesPanel(options: SeriesOptions): SeriesBuilder {
  const panel = new SeriesBuilder()
    .title(options.title)
    .description(options.description)
    .datasource(datasource)
    .unit(options.unit)
    .span(options.width)
    .height(seriesHeight)
    .min(0)
    .fillOpacity(options.stacked === true ? 30 : 8)
    .stacking(new StackingConfigBuilder().mode(options.stacked === true ? StackingMode.Normal : StackingMode.None))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .targets(options.queries.map((query, index) => target(query, index).range()));
  if (options.whenEmpty !== undefined) {
    panel.noValue(options.whenEmpty);
  }
  if (options.steps === undefined) {
    return panel;
  }
  return panel
    .thresholds(thresholds(options.steps, 'green'))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
}

function thresholds(steps: readonly Step[], lowColor: string): ThresholdsConfigBuilder {
  const above = lowColor === 'red' ? steps.map(({ value }) => ({ value, color: 'green' })) : steps;
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: lowColor }, ...above.map(({ value, color }) => ({ value, color }))]);
}

function target({ expr, legend }: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(datasource)
    .expr(expr)
    .legendFormat(legend)
    .refId(String.fromCharCode('A'.charCodeAt(0) + index));
}
