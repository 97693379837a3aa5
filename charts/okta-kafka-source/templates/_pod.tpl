{{/* What every Pod of the program has, the Deployment's and later others'. */}}

{{- define "okta-kafka-source.podSettings" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "okta-kafka-source.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "okta-kafka-source.fullname" . }}
  {{- with .Values.existingSecret.name }}
  - name: secrets
    secret:
      secretName: {{ . }}
      # Read by its group, which is `fsGroup`.
      defaultMode: 0440
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "okta-kafka-source.containerSettings" -}}
image: {{ include "okta-kafka-source.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
env:
  - name: OKTA_KAFKA_SOURCE_CONFIG
    value: /etc/okta-kafka-source/config.yaml
  - name: RUST_LOG
    value: {{ .Values.log.filter | quote }}
  {{- range $name, $key := .Values.existingSecret.env }}
  - name: {{ $name }}
    valueFrom:
      secretKeyRef:
        name: {{ $.Values.existingSecret.name }}
        key: {{ $key }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  # One file, so that the folder stays free for the Secret; a changed file restarts the Pod, by its checksum.
  - name: config
    mountPath: /etc/okta-kafka-source/config.yaml
    subPath: config.yaml
    readOnly: true
  {{- if .Values.existingSecret.name }}
  # No subPath: a changed Secret reaches the running program.
  - name: secrets
    mountPath: /etc/okta-kafka-source/secrets
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
