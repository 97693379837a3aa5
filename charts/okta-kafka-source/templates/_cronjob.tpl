{{/* Queries on a schedule. */}}

{{/* Of their Pods. Not those of the workers: Service, PodDisruptionBudget and `kubectl exec deploy/…` take Pods by them. */}}
{{- define "okta-kafka-source.queryLabels" -}}
app.kubernetes.io/name: {{ include "okta-kafka-source.name" . | trunc 57 | trimSuffix "-" }}-query
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Something, where the arguments have the option. */}}
{{- define "okta-kafka-source.hasOption" -}}
{{- $option := index . 1 -}}
{{- range index . 0 -}}
{{- if or (eq . $option) (hasPrefix (printf "%s=" $option) .) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the option says. */}}
{{- define "okta-kafka-source.optionValue" -}}
{{- $option := index . 1 -}}
{{- $is := false -}}
{{- range index . 0 -}}
{{- if $is -}}{{- . -}}{{- $is = false -}}
{{- else if eq . $option -}}{{- $is = true -}}
{{- else -}}{{- if hasPrefix (printf "%s=" $option) . -}}{{- trimPrefix (printf "%s=" $option) . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "okta-kafka-source.checkCronJobs" -}}
{{- $root := . -}}
{{- $names := list -}}
{{- $connectors := list -}}
{{- range .Values.config.connectors -}}{{- $connectors = append $connectors (toString .name) -}}{{- end -}}
{{- range $index, $job := .Values.cronJobs -}}
{{- $path := printf "cronJobs[%d]" $index -}}
{{- if has $job.name $names -}}
{{- fail (printf "%s.name: there is another one of the name `%s`" $path $job.name) -}}
{{- end -}}
{{- $names = append $names $job.name -}}
{{- $full := printf "%s-%s" (include "okta-kafka-source.fullname" $root) $job.name -}}
{{- if gt (len $full) 52 -}}
{{- fail (printf "%s.name: the CronJob would be called `%s`, and 52 characters is what Kubernetes takes: shorten it, or set fullnameOverride" $path $full) -}}
{{- end -}}
{{- if not (has (first $job.args) $connectors) -}}
{{- fail (printf "%s.args: `%s` is no connector of config; they are those of `query`, the connector's name first: there are %s" $path (first $job.args) (join ", " $connectors)) -}}
{{- end -}}
{{- $email := include "okta-kafka-source.hasOption" (list $job.args "--email") -}}
{{- $file := include "okta-kafka-source.hasOption" (list $job.args "--to-file") -}}
{{- $topic := include "okta-kafka-source.hasOption" (list $job.args "--to-topic") -}}
{{- if and $email (not $root.Values.config.email) -}}
{{- fail (printf "%s.args: --email needs a mail server: set config.email" $path) -}}
{{- end -}}
{{- if $file -}}
{{- $to := include "okta-kafka-source.optionValue" (list $job.args "--to-file") -}}
{{- $ours := hasPrefix "/results/" $to -}}
{{- $kept := $ours -}}
{{- range $root.Values.extraVolumeMounts -}}{{- if hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $to -}}{{- $kept = true -}}{{- end -}}{{- end -}}
{{- if not $kept -}}
{{- fail (printf "%s.args: `%s` can't be written, as the image's file system is read-only: write --to-file /results/…, or a path below one of extraVolumeMounts" $path $to) -}}
{{- end -}}
{{- if and $ours (not $job.volume) (not (or $email $topic)) -}}
{{- fail (printf "%s.args: `%s` would go with its Pod: set volume, as {persistentVolumeClaim: {claimName: okta-results}}" $path $to) -}}
{{- end -}}
{{- end -}}
{{- $printed := include "okta-kafka-source.hasOption" (list $job.args "--output") -}}
{{- range $job.args -}}{{- if regexMatch "^-[a-z]*o" . -}}{{- $printed = "yes" -}}{{- end -}}{{- end -}}
{{- if and (not $file) (or $printed (not (or $email $topic))) -}}
{{- fail (printf "%s.args: the results would be in the Pod's log, for whoever reads that: give --email, --to-topic or --to-file, and no --output without --to-file" $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
