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
{{- include "okta-kafka-source.checkNames" (list $ "config" "" $config) -}}
{{- with $config.schema_registry -}}
{{- range (kindIs "slice" .url | ternary .url (list .url)) -}}
{{- include "okta-kafka-source.checkLogin" (list $ "config.schema_registry.url" . "config.schema_registry.basic_auth") -}}
{{- end -}}
{{- end -}}
{{- with $config.okta_http -}}
{{- include "okta-kafka-source.checkLogin" (list $ "config.okta_http.proxy_url" .proxy_url "`${env:…}` or `${file:…}`") -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- include "okta-kafka-source.checkLogin" (list $ (printf "extraEnv %s" .name) .value "valueFrom.secretKeyRef") -}}
{{- if and .value (include "okta-kafka-source.isSecret" .name) -}}
{{- fail (printf "extraEnv %s holds a secret itself: take it from a Secret, by existingSecret.env or valueFrom.secretKeyRef" .name) -}}
{{- end -}}
{{- end -}}
{{- include "okta-kafka-source.checkReferences" . -}}
{{- end -}}

{{/* Something, where a key or a variable of that name holds a secret. Wider than the names that the program takes: it refuses the others, but
only when they are in the cluster already. */}}
{{- define "okta-kafka-source.isSecret" -}}
{{- $secret := "password|passwd|passphrase|secret|private[._-]?key|key[._]pem|jaas|kinit\\.cmd|oauthbearer\\.config|ssws|(token|api[._-]?key)$" -}}
{{- if and (regexMatch (printf "(?i)(%s)" $secret) .) (not (regexMatch "(?i)[._-](file|location|path|dir|name|id|url)$" .)) -}}yes{{- end -}}
{{- end -}}

{{/* Keys of secrets, at any depth. */}}
{{- define "okta-kafka-source.checkNames" -}}
{{- $root := index . 0 -}}{{- $path := index . 1 -}}{{- $name := index . 2 -}}{{- $value := index . 3 -}}
{{- if kindIs "map" $value -}}
{{- range $key, $member := $value -}}
{{- $shown := regexMatch "^[A-Za-z._-]{1,80}$" $key | ternary $key "…" -}}
{{- include "okta-kafka-source.checkNames" (list $root (printf "%s.%s" $path $shown) $key $member) -}}
{{- end -}}
{{- else if kindIs "slice" $value -}}
{{- range $index, $element := $value -}}
{{- include "okta-kafka-source.checkNames" (list $root (printf "%s[%d]" $path $index) $name $element) -}}
{{- end -}}
{{- else if include "okta-kafka-source.isSecret" $name -}}
{{- include "okta-kafka-source.checkSecret" (list $root $path $value) -}}
{{- end -}}
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

{{/* A URL with a login: its password is nothing but one reference. */}}
{{- define "okta-kafka-source.checkLogin" -}}
{{- $root := index . 0 -}}{{- $path := index . 1 -}}{{- $url := toString (index . 2) -}}{{- $instead := index . 3 -}}
{{- $login := regexFind "://.*@" (regexReplaceAll "\\$\\{(env|file):[^}]*\\}" $url "§") -}}
{{- if $login -}}
{{- if not (regexMatch "^://([^:]*:)?§@$" $login) -}}
{{- fail (printf "%s holds a login itself: take it from a Secret, by %s" $path $instead) -}}
{{- end -}}
{{- include "okta-kafka-source.checkSecret" (list $root $path (regexFind "\\$\\{[^}]+\\}@" $url | trimSuffix "@")) -}}
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
