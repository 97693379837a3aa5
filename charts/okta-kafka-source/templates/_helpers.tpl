{{/* Names and labels. */}}

{{- define "okta-kafka-source.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters, so that what is put behind it stays below 63. */}}
{{- define "okta-kafka-source.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $full = default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $full) -}}
{{- fail (printf "the Service would be called `%s`, and its name must be letters, digits and dashes, a letter first: set fullnameOverride" $full) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{- define "okta-kafka-source.selectorLabels" -}}
app.kubernetes.io/name: {{ include "okta-kafka-source.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The chart's own last: a selector must not lose its labels to `commonLabels`. */}}
{{- define "okta-kafka-source.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" (.Chart.AppVersion | toString)
  "app.kubernetes.io/managed-by" .Release.Service
-}}
{{- merge (include "okta-kafka-source.selectorLabels" . | fromYaml) $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{- define "okta-kafka-source.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "okta-kafka-source.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "okta-kafka-source.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A job of its own for each release: the rules and the dashboard tell deployments apart by it. Of the chart, and the values' own. */}}
{{- define "okta-kafka-source.relabelings" -}}
- targetLabel: job
  action: replace
  replacement: {{ include "okta-kafka-source.fullname" (index . 0) }}
{{- with index . 1 }}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- define "okta-kafka-source.milliseconds" -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+[a-z]+" . -1 -}}
{{- $unit := regexFind "[a-z]+" . | get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) -}}
{{- $sum = regexFind "[0-9]+" . | int64 | mul $unit | add $sum -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* The operator leaves out a monitor whose scrapes may take longer than their interval, and says so in its own log alone. */}}
{{- define "okta-kafka-source.checkScrapes" -}}
{{- $name := index . 0 -}}{{- $monitor := index . 1 -}}
{{- if gt (include "okta-kafka-source.milliseconds" $monitor.scrapeTimeout | int64) (include "okta-kafka-source.milliseconds" $monitor.interval | int64) -}}
{{- fail (printf "%s.scrapeTimeout must be at most %s.interval" $name $name) -}}
{{- end -}}
{{- end -}}
