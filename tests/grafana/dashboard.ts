// A dashboard as this repository ships it: @grafana/schema's types, narrowed to the kinds of panels, queries and variables
// that are used, so that the compiler also looks into what Grafana's own types leave open (options, fieldConfig, targets).
// What is not named here is refused; a new kind of panel gets a line in `AnyPanel`.
import type {
  AnnotationQuery,
  Dashboard,
  DashboardLink,
  DataQuery,
  DataTransformerConfig,
  FieldConfig,
  Panel,
  RowPanel,
  TableFieldOptions,
  TableOptions,
  VariableModel,
} from '@grafana/schema';
import type * as Heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as Stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as StateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as Timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// JSON has the values of enums, and not their names. Numbers are compared with an enum's values by the compiler itself.
type Json<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T : { [K in keyof T]: Json<T[K]> };

// The data source is the variable's, everywhere: the dashboard names no Prometheus of anybody's.
interface Prometheus {
  type: 'prometheus';
  uid: '${datasource}';
}

interface Query extends Pick<DataQuery, 'refId' | 'hide'> {
  editorMode: 'code';
  expr: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  legendFormat?: string;
  range: boolean;
}

type Link = Pick<DashboardLink, 'targetBlank' | 'title' | 'url'>;

type Field<C> = Omit<FieldConfig, 'custom' | 'links'> & { custom?: Partial<C>; links?: Link[] };

// One property of a field that an override sets: `unit`, or `custom.width` for one of the panel's kind.
type Property<C> =
  | { [K in keyof Omit<Field<C>, 'custom'>]-?: { id: K; value: NonNullable<Field<C>[K]> } }[keyof Omit<Field<C>, 'custom'>]
  | { [K in keyof C & string]-?: { id: `custom.${K}`; value: NonNullable<C[K]> } }[keyof C & string];

interface Override<C> {
  matcher: { id: 'byName' | 'byRegexp'; options: string };
  properties: Array<Property<C>>;
}

interface Organize {
  id: 'organize';
  options: {
    excludeByName: Record<string, boolean>;
    indexByName: Record<string, number>;
    renameByName: Record<string, string>;
  };
}

interface Merge {
  id: 'merge';
  options: Record<string, never>;
}

// Everything that a reader is told stands in each panel, so it may not be left out.
type Kind<T extends string, O, C> = Pick<Required<Panel>, 'description' | 'gridPos' | 'id' | 'title'> & {
  datasource: Prometheus;
  fieldConfig: { defaults: Field<C>; overrides: Array<Override<C>> };
  links?: Link[];
  options: O;
  targets: Query[];
  transformations?: Array<(Organize | Merge) & DataTransformerConfig>;
  type: T;
};

type AnyPanel =
  | Kind<'heatmap', Heatmap.Options, Heatmap.FieldConfig>
  | Kind<'stat', Stat.Options, Record<never, never>>
  | Kind<'state-timeline', StateTimeline.Options, StateTimeline.FieldConfig>
  | Kind<'table', TableOptions, TableFieldOptions & { width: number }>
  | Kind<'timeseries', Timeseries.Options, Timeseries.FieldConfig>
  | (Omit<RowPanel, 'panels'> & { panels: [] });

// The Prometheus data source reads these beside what the schema has.
type Annotation =
  | (Omit<AnnotationQuery, 'datasource'> & { datasource: { type: 'grafana'; uid: '-- Grafana --' } })
  | (Omit<AnnotationQuery, 'datasource' | 'target'> & {
      datasource: Prometheus;
      tagKeys: string;
      target: { expr: string; refId: 'Anno' };
      textFormat: string;
      titleFormat: string;
      useValueForTime?: 'on';
    });

type Variable = Omit<VariableModel, 'datasource'> & { datasource?: Prometheus; definition?: string };

export type ShippedDashboard = Json<
  Omit<Dashboard, 'annotations' | 'panels' | 'templating'> & {
    annotations: { list: Annotation[] };
    panels: AnyPanel[];
    templating: { list: Variable[] };
  }
>;
