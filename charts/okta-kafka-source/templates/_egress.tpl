{{/* Where Pods may go: names, and of the rest those rules whose keys are given. */}}
{{- define "okta-kafka-source.egress" -}}
{{- $root := index . 0 -}}{{- $keys := index . 1 -}}
{{- $config := $root.Values.config -}}
# Names.
{{- with $root.Values.networkPolicy.dns }}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- $http := default dict $config.okta_http }}
{{- $proxy := list (default "" $http.proxy_url) }}
{{- if not $http.proxy_url }}
{{- $names := list "HTTPS_PROXY" "https_proxy" "ALL_PROXY" "all_proxy" }}
{{- range $root.Values.extraEnv }}
{{- if has .name $names }}{{ $proxy = list (hasKey . "value" | ternary (toString .value) "${env:…}") }}{{ end }}
{{- end }}
{{- range keys $root.Values.existingSecret.env }}
{{- if has . $names }}{{ $proxy = list "${env:…}" }}{{ end }}
{{- end }}
{{- end }}
{{- $kafka := $config.kafka }}
{{- $token := list }}
{{- range list $kafka (default dict $kafka.producer) (default dict $kafka.consumer) }}
{{- $token = append $token (default "" (get . "sasl.oauthbearer.token.endpoint.url")) }}
{{- end }}
{{- $orgs := list }}
{{- range $config.connectors }}{{ $orgs = append $orgs (toString .org) }}{{ end }}
{{- $registry := default dict $config.schema_registry }}
{{- $brokers := get $config.kafka "bootstrap.servers" }}
{{- $smtp := list }}
{{- with $config.email }}
{{- /* The program's defaults. */}}
{{- $default := get (dict "starttls" 587 "tls" 465 "none" 25) (default "starttls" .security | toString) | default "${…}" }}
{{- $smtp = list (printf "smtp://server:%s" (hasKey . "port" | ternary (toString .port) (toString $default))) }}
{{- end }}
{{- range $rule := list
  (dict "what" "Kafka" "key" "kafka" "urls" (splitList "," $brokers) "default" "9092")
  (dict "what" "Kafka's tokens" "key" "token" "urls" $token "default" "")
  (dict "what" "Okta" "key" "okta" "urls" list "more" $orgs "default" "443")
  (dict "what" "The schema registry" "key" "registry" "urls" (splitList "," (join "," (default "" $registry.url))) "default" "")
  (dict "what" "The proxy" "key" "proxy" "urls" $proxy "default" "")
  (dict "what" "The mail server" "key" "smtp" "urls" $smtp "default" "")
}}
{{- $values := get $root.Values.networkPolicy $rule.key }}
{{- $ports := list }}
{{- range $values.ports }}{{ $ports = append $ports (int .) }}{{ end }}
{{- if $values.ports }}
{{- range $rule.more }}
{{- with regexFind ":[0-9]+/?$" . }}{{ $ports = append $ports (trimAll ":/" . | int) }}{{ end }}
{{- end }}
{{- else }}
{{- range $url := $rule.urls }}
{{- $url = trim $url }}
{{- if contains "${" $url }}
{{- fail (printf "networkPolicy.%s.ports: the port can't be seen in config, as it comes from elsewhere: name it here" $rule.key) }}
{{- end }}
{{- if $url }}
{{- $port := regexFind ":[0-9]+$" (regexReplaceAll "/.*$" (regexReplaceAll "^[a-zA-Z_]+://" $url "") "") | trimPrefix ":" }}
{{- $default := $rule.default | default (hasPrefix "https:" $url | ternary "443" "80") }}
{{- $ports = append $ports (int (default $default $port)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $ports (has $rule.key $keys) }}
# {{ $rule.what }}.
- ports:
    {{- range $ports | uniq }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with $values.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- with $root.Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
