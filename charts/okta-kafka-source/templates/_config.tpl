{{/* The program's file: the values' `config`, and where it listens. */}}
{{- define "okta-kafka-source.config" -}}
{{- include "okta-kafka-source.checks" . -}}
{{- $http := dict "http" (dict "listen" (printf "%s:%d" .Values.listen.address (int .Values.listen.port))) -}}
{{- merge $http (deepCopy .Values.config) | toYaml -}}
{{- end -}}

{{/* What can be seen to be wrong before anything runs. No message shows a value that may be a secret. */}}
{{- define "okta-kafka-source.checks" -}}
{{- $config := .Values.config -}}
{{- if hasKey $config "http" -}}
{{- fail "config.http is the chart's: set listen.address and listen.port" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) $config.group_instance_id (not (contains "${" (toString $config.group_instance_id))) -}}
{{- fail "config.group_instance_id is one worker's name, and replicas is more than 1: the workers would throw each other out; leave it out" -}}
{{- end -}}
{{- range $index, $connector := $config.connectors -}}
{{- include "okta-kafka-source.checkAuth" (list $ (printf "config.connectors[%d]" $index) $connector) -}}
{{- end -}}
{{- include "okta-kafka-source.checkAuth" (list $ "config.connector_defaults" $config.connector_defaults) -}}
{{- range $role := list "" "producer" "consumer" -}}
{{- $path := $role | empty | ternary "config.kafka" (printf "config.kafka.%s" $role) -}}
{{- $properties := $role | empty | ternary $config.kafka (default dict (get (default dict $config.kafka) $role)) -}}
{{- range $name, $value := $properties -}}
{{- if and (regexMatch "password|passphrase|secret|private\\.key|ssl\\.key\\.pem|jaas|kinit\\.cmd|oauthbearer\\.config" $name) (not (regexMatch "\\.(file|location)$" $name)) -}}
{{- include "okta-kafka-source.checkSecret" (list $ (printf "%s.%s" $path $name) $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $config.schema_registry -}}
{{- with .basic_auth -}}
{{- include "okta-kafka-source.checkSecret" (list $ "config.schema_registry.basic_auth.password" .password) -}}
{{- end -}}
{{- include "okta-kafka-source.checkSecret" (list $ "config.schema_registry.bearer_token" .bearer_token) -}}
{{- range (kindIs "slice" .url | ternary .url (list .url)) -}}
{{- include "okta-kafka-source.checkLogin" (list "config.schema_registry.url" . "config.schema_registry.basic_auth") -}}
{{- end -}}
{{- end -}}
{{- with $config.okta_http -}}
{{- include "okta-kafka-source.checkLogin" (list "config.okta_http.proxy_url" .proxy_url "`${env:…}` or `${file:…}`") -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- include "okta-kafka-source.checkLogin" (list (printf "extraEnv %s" .name) .value "valueFrom.secretKeyRef") -}}
{{- end -}}
{{- include "okta-kafka-source.checkReferences" . -}}
{{- end -}}

{{- define "okta-kafka-source.checkAuth" -}}
{{- $root := index . 0 -}}{{- $path := index . 1 -}}
{{- with index . 2 -}}{{- with .auth -}}
{{- include "okta-kafka-source.checkSecret" (list $root (printf "%s.auth.ssws" $path) .ssws) -}}
{{- with .oauth -}}
{{- include "okta-kafka-source.checkSecret" (list $root (printf "%s.auth.oauth.private_key" $path) .private_key) -}}
{{- end -}}
{{- end -}}{{- end -}}
{{- end -}}

{{/* A secret is nothing but one reference, and no literal variable of `extraEnv`. */}}
{{- define "okta-kafka-source.checkSecret" -}}
{{- $root := index . 0 -}}{{- $path := index . 1 -}}{{- $value := index . 2 -}}
{{- if not (kindIs "invalid" $value) -}}
{{- if not (regexMatch "^\\s*\\$\\{(env|file):[^}]+\\}\\s*$" (toString $value)) -}}
{{- fail (printf "%s holds a secret itself, and a ConfigMap is no place for one: put it into a Secret, name that in existingSecret.name, and write `${file:/etc/okta-kafka-source/secrets/KEY}` here" $path) -}}
{{- end -}}
{{- $name := regexReplaceAll "^\\s*\\$\\{env:([^}]+)\\}\\s*$" (toString $value) "${1}" -}}
{{- range $root.Values.extraEnv -}}
{{- if and (eq .name $name) (hasKey . "value") -}}
{{- fail (printf "extraEnv %s holds the secret of %s itself: take it from a Secret, by existingSecret.env or valueFrom.secretKeyRef" $name $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A URL with a login that stands there. */}}
{{- define "okta-kafka-source.checkLogin" -}}
{{- $path := index . 0 -}}{{- $url := toString (index . 1) -}}{{- $instead := index . 2 -}}
{{- if and (regexMatch "://[^/@]*@" $url) (not (regexMatch "\\$\\{(env|file):" $url)) -}}
{{- fail (printf "%s holds a login itself: take it from a Secret, by %s" $path $instead) -}}
{{- end -}}
{{- end -}}

{{/* What a reference needs to be there. Variables of `envFrom` can't be known, nor files that something else mounts. */}}
{{- define "okta-kafka-source.checkReferences" -}}
{{- $text := toYaml .Values.config | replace "$${" "" -}}
{{- if not .Values.envFrom -}}
{{- $known := concat (list "HOSTNAME" "RUST_LOG" "OKTA_KAFKA_SOURCE_CONFIG") (keys .Values.existingSecret.env) -}}
{{- range .Values.extraEnv -}}{{- $known = append $known .name -}}{{- end -}}
{{- range regexFindAll "\\$\\{env:[^}]+\\}" $text -1 -}}
{{- $name := . | trimPrefix "${env:" | trimSuffix "}" -}}
{{- if not (has $name $known) -}}
{{- fail (printf "config names `%s`, and nothing sets that variable: add it to existingSecret.env, extraEnv or envFrom" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .Values.existingSecret.name -}}
{{- if .Values.existingSecret.env -}}
{{- fail "existingSecret.env takes variables from the Secret of existingSecret.name, which is empty" -}}
{{- end -}}
{{- $mounted := false -}}
{{- range .Values.extraVolumeMounts -}}
{{- if hasPrefix "/etc/okta-kafka-source/secrets" .mountPath -}}{{- $mounted = true -}}{{- end -}}
{{- end -}}
{{- if and (contains "${file:/etc/okta-kafka-source/secrets/" $text) (not $mounted) -}}
{{- fail "config reads files of /etc/okta-kafka-source/secrets, and nothing is mounted there: set existingSecret.name" -}}
{{- end -}}
{{- end -}}
{{- end -}}
